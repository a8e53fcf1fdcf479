namespace TrustixProxy.Rebuilder.Derivations;

/// <summary>Why a file is not a derivation that can be rebuilt.</summary>
public enum DerivationError
{
    /// <summary>It can be rebuilt.</summary>
    None,

    /// <summary>It is larger than <see cref="Derivation.MaxSize"/>.</summary>
    TooLarge,

    /// <summary>It does not follow the grammar of derivations.</summary>
    Syntax,

    /// <summary>It has bytes after its end.</summary>
    TrailingBytes,

    /// <summary>It names something that is not a store path where one must stand.</summary>
    StorePath,

    /// <summary>It has no output.</summary>
    NoOutput,

    /// <summary>An output's path is known only after the build (content-addressed or impure), so that nobody can vote for it.</summary>
    UnknownOutput,

    /// <summary>It is of a kind that needs an experimental feature of Nix: dynamic derivations.</summary>
    Dynamic,
}
