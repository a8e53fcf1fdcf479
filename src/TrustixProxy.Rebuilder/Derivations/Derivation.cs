using System.Collections.Immutable;
using TrustixProxy.Nix;

namespace TrustixProxy.Rebuilder.Derivations;

/// <summary>What a <c>.drv</c> file says about one build, as far as a rebuilder needs it.</summary>
/// <remarks>Source: nix <c>src/libstore/derivations.cc</c>, <c>Derivation::unparse</c>.</remarks>
public sealed record Derivation
{
    /// <summary>Maximum size of a derivation file, in bytes: 16 MiB.</summary>
    public const int MaxSize = 16 << 20;

    /// <summary>The outputs; at least one.</summary>
    public required ImmutableArray<DerivationOutput> Outputs { get; init; }

    /// <summary>The derivations whose outputs the build uses, with the names of those outputs.</summary>
    public required ImmutableArray<DerivationInput> Inputs { get; init; }

    /// <summary>The store paths that the build uses and that are not outputs of <see cref="Inputs"/>.</summary>
    public required ImmutableArray<StorePath> Sources { get; init; }

    /// <summary>The system that can build it, such as <c>x86_64-linux</c>.</summary>
    public required string System { get; init; }

    /// <summary>Whether the output's content is fixed by a hash, so that it proves itself and its builder may use the network.</summary>
    public bool IsFixedOutput => Outputs is [{ Hash.Length: > 0 }];

    /// <summary>Whether a store path has the name of a derivation.</summary>
    public static bool IsNamedBy(StorePath path) => path.Name.EndsWith(".drv", StringComparison.Ordinal);

    /// <summary>Finds the output with this path; null when the derivation has none.</summary>
    public DerivationOutput? Find(StorePath path) => Outputs.FirstOrDefault(output => output.Path == path);
}

/// <summary>An output of a derivation.</summary>
/// <param name="Name">Its name, such as <c>out</c>.</param>
/// <param name="Path">Its path.</param>
/// <param name="Hash">The hash that fixes its content, as written; empty for a usual output.</param>
public sealed record DerivationOutput(string Name, StorePath Path, string Hash);

/// <summary>Outputs of another derivation that a build uses.</summary>
/// <param name="Derivation">The other derivation.</param>
/// <param name="Outputs">The names of its used outputs.</param>
public sealed record DerivationInput(StorePath Derivation, ImmutableArray<string> Outputs);
