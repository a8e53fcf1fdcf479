using System.Collections.Immutable;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Rebuilder.Derivations;
using TrustixProxy.Rebuilder.Records;
using TrustixProxy.Rebuilder.Stores;

namespace TrustixProxy.Rebuilder.Builds;

/// <summary>Has the inputs of a build in the rebuilder's store, from where the configuration says and from nowhere else.</summary>
/// <remarks>
/// <code>
/// proxy:  missing ──substitute──▶ still missing: of fixed output ──▶ build it, the same way below
///                                                otherwise       ──▶ the build must wait
///         built here, and the proxy's is another ──▶ removed, so that the proxy's is fetched
/// build:  fetched once ──▶ removed; Nix builds what is missing
///         of an ordinary user, whose builders can change each other's inputs: one by one, and each finds its inputs hashed again
/// </code></remarks>
internal sealed class BuildInputs(RebuilderOptions options, OwnStore store, InputVotes votes, Func<StorePath, NixBounds> boundsOf)
{
    private const int MaxDepth = 100;

    /// <summary>Brings the inputs of a derivation; with <see cref="InputSource.Build"/>, only removes those that came otherwise.</summary>
    /// <exception cref="NixException">One cannot be had.</exception>
    public Task BringAsync(StorePath path, Derivation derivation, CancellationToken cancellation) =>
        BringAsync(path, derivation, depth: 0, cancellation);

    /// <summary>The paths that a build sees: the used outputs of its input derivations, its sources, and all that they refer to.</summary>
    public async Task<IReadOnlyList<OwnPath>> SeenAsync(Derivation derivation, CancellationToken cancellation)
    {
        var wanted = Wanted(derivation).Keys.Concat(derivation.Sources).ToList();
        var valid = wanted.Except(await store.InvalidAsync(wanted, cancellation)).ToList();
        var closure = await store.ClosureAsync(valid, cancellation);
        return await store.DescribeAsync([.. closure], cancellation);
    }

    private async Task BringAsync(StorePath path, Derivation derivation, int depth, CancellationToken cancellation)
    {
        if (depth > MaxDepth)
        {
            throw new NixException($"the inputs of {path.Absolute} are nested more than {MaxDepth} deep");
        }

        await RemoveStrangersAsync(derivation, cancellation);
        if (options.Inputs is InputSource.Build)
        {
            await (Environment.IsPrivilegedProcess ? Task.CompletedTask // Nix builds them with the target
                : BuildEachAsync(derivation, [], cancellation));
            return;
        }

        var wanted = Wanted(derivation);
        var missing = await store.InvalidAsync([.. wanted.Keys], cancellation);
        var reason = missing.Count is 0 ? "" : await store.SubstituteAsync(missing, boundsOf(path), cancellation);
        missing = missing.Count is 0 ? missing : await store.InvalidAsync(missing, cancellation);
        foreach (var lacking in missing)
        {
            var maker = wanted[lacking];
            var read = store.Read(maker);
            if (!read.IsFixedOutput)
            {
                throw Lacking(lacking, reason);
            }

            await BringAsync(maker, read, depth + 1, cancellation);
            if (await BuildAsync(maker, read, cancellation) is { } fault)
            {
                throw new NixException($"its input {lacking.Absolute}, of fixed content, cannot be fetched: {fault}");
            }
        }
    }

    /// <summary>Hashes again what a build will see, and removes it when it was changed since it came.</summary>
    /// <exception cref="NixException">Something was changed.</exception>
    public async Task<IReadOnlyList<OwnPath>> VerifiedAsync(Derivation derivation, CancellationToken cancellation)
    {
        var seen = await SeenAsync(derivation, cancellation);
        IReadOnlyList<StorePath> paths = [.. seen.Select(path => path.Path)];
        try
        {
            await store.VerifyAsync(paths, cancellation);
            return seen;
        }
        catch (NixException exception)
        {
            await store.RemoveAsync(paths, cancellation);
            throw new NixException($"inputs were changed after they came, so they were removed: {exception.Message}");
        }
    }

    /// <summary>Builds the inputs that are missing, each after its own.</summary>
    /// <param name="visited">The derivations that were looked at.</param>
    private async Task BuildEachAsync(Derivation derivation, HashSet<StorePath> visited, CancellationToken cancellation)
    {
        var wanted = Wanted(derivation);
        foreach (var lacking in await store.InvalidAsync([.. wanted.Keys], cancellation))
        {
            var maker = wanted[lacking];
            if (!visited.Add(maker))
            {
                continue; // it has more than one output
            }

            var read = store.Read(maker);
            await BuildEachAsync(read, visited, cancellation);
            await VerifiedAsync(read, cancellation);
            if (await BuildAsync(maker, read, cancellation) is { } fault)
            {
                throw new NixException($"its input {lacking.Absolute} cannot be built: {fault}");
            }
        }
    }

    /// <summary>Builds an input; returns why it cannot be built, or null.</summary>
    private async Task<string?> BuildAsync(StorePath maker, Derivation read, CancellationToken cancellation)
    {
        var bounds = boundsOf(maker);
        var end = await store.BuildAsync(maker, bounds with
        {
            Disk = options.Disk,
            Measured = () => store.FoldersOf(maker, read).Append(bounds.Temporary),
        }, cancellation);
        OwnStore.Remove(bounds.Temporary);
        return end.Code is 0 ? null : end.Reason;
    }

    /// <summary>Removes inputs that are here but did not come the configured way.</summary>
    private async Task RemoveStrangersAsync(Derivation derivation, CancellationToken cancellation)
    {
        var strangers = new List<StorePath>();
        foreach (var path in (await SeenAsync(derivation, cancellation)).Where(path => !path.ProvesItself))
        {
            if (options.Inputs is InputSource.Build ? !path.IsBuiltHere : path.IsBuiltHere && await IsAnotherAsync(path, cancellation))
            {
                strangers.Add(path.Path);
            }
        }

        await store.RemoveAsync(strangers, cancellation);
    }

    /// <summary>Whether the substituter has other bytes for an input than those that were built here.</summary>
    private async Task<bool> IsAnotherAsync(OwnPath path, CancellationToken cancellation)
    {
        var vote = await votes.AskAsync(path, cancellation);
        return vote.NarHash is { } hash ? !hash.Equals(path.Output.Statement.NarHash) : throw Lacking(path.Path, vote.Decision);
    }

    private NixException Lacking(StorePath path, string reason) => new(
        $"its input {path.Absolute} is not to be had from {options.Substituter} (rebuilder.substituter): it needs a quorum there first, or "
            + $"set rebuilder.inputs to \"build\"{(reason.Length > 0 ? $" ({reason})" : "")}");

    /// <summary>Returns the inputs that neither prove themselves, nor were to be built here, nor had a quorum's votes.</summary>
    public async Task<ImmutableArray<UnvotedInput>> UnvotedAsync(IEnumerable<OwnPath> seen, CancellationToken cancellation)
    {
        var unvoted = ImmutableArray.CreateBuilder<UnvotedInput>();
        foreach (var path in seen.Where(path => !path.ProvesItself)
            .Where(path => options.Inputs is InputSource.Proxy || !path.IsBuiltHere).OrderBy(path => path.Path))
        {
            var vote = await votes.AskAsync(path, cancellation);
            if (!vote.IsVotedFor(path.Output.Statement.NarHash))
            {
                unvoted.Add(new UnvotedInput(path.Path.Absolute, path.Output.Statement.NarHash.ToString(),
                    vote is { Decision: "agreed" } ? "another hash is agreed on" : vote.Decision));
            }
        }

        return unvoted.ToImmutable();
    }

    /// <summary>The used outputs of the input derivations, and which derivation makes each.</summary>
    private Dictionary<StorePath, StorePath> Wanted(Derivation derivation) => derivation.Inputs
        .SelectMany(input => store.Read(input.Derivation).Outputs.Where(output => input.Outputs.Contains(output.Name))
            .Select(output => (output.Path, input.Derivation)))
        .DistinctBy(pair => pair.Path).ToDictionary(pair => pair.Path, pair => pair.Derivation);
}
