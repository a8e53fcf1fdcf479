using System.Collections.Immutable;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Rebuilder.Derivations;
using TrustixProxy.Rebuilder.Stores;

namespace TrustixProxy.Rebuilder.Builds;

/// <summary>A derivation in the rebuilder's store whose output is the wanted path.</summary>
internal sealed record FoundDerivation(StorePath Path, Derivation Read, StorePath Wanted);

/// <summary>Finds the derivation of a path: in the machine's store, or in what the configured expressions evaluate to.</summary>
/// <remarks>What an upstream names as deriver is only a name to look for there. Whatever is found must have the wanted path among its
/// outputs; Nix itself checks, when it takes a derivation in, that the paths of its outputs are made from it.</remarks>
internal sealed class DerivationFinder(OwnStore store, ImmutableArray<string> expressions, TimeProvider time) : IDisposable
{
    /// <summary>How long an evaluation answers for paths that it lacks: what an expression names changes. A failure may pass
    /// soon.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(1), FailureLifetime = TimeSpan.FromMinutes(5);

    private readonly SemaphoreSlim _evaluating = new(1, 1);
    private Dictionary<StorePath, StorePath>? _evaluated;
    private long _evaluatedAt;
    private string _faults = "";

    /// <summary>Finds a target's derivation and has it in the rebuilder's store.</summary>
    /// <exception cref="NixException">There is none, or none that can be rebuilt.</exception>
    public async Task<FoundDerivation> FindAsync(RebuildTarget target, CancellationToken cancellation)
    {
        if (target.IsDerivation)
        {
            await (target.File is { } file ? store.ImportAsync(file, cancellation) : store.CopyDerivationAsync(target.Path, cancellation));
            var read = store.Read(target.Path);
            var wanted = read.Outputs.FirstOrDefault(output => output.Name is "out") ?? read.Outputs[0];
            return new FoundDerivation(target.Path, read, wanted.Path);
        }

        var (deriver, unusable) = (await store.FindDeriverAsync(target.Path, cancellation), "");
        foreach (var candidate in target.Hints.Prepend(deriver).OfType<StorePath>().Where(Derivation.IsNamedBy).Distinct())
        {
            try
            {
                if (await TryCopyAsync(candidate, cancellation) && Check(candidate, target.Path) is { } found)
                {
                    return found;
                }
            }
            catch (NixException exception)
            {
                unusable = $"; {exception.Message}"; // the next candidate may be usable
            }
        }

        var evaluated = await EvaluatedAsync(target.Path, cancellation);
        return evaluated.TryGetValue(target.Path, out var named) && Check(named, target.Path) is { } byExpression ? byExpression
            : throw new NixException($"no derivation with the output {target.Path.Absolute} is in this machine's store"
                + (expressions.IsEmpty ? "; name an expression or flake attribute in rebuilder.expressions, or give the derivation"
                    : $" or in rebuilder.expressions{_faults}") + unusable);
    }

    /// <summary>Has expressions evaluated again: their derivations may have left the store.</summary>
    public void Forget() => _evaluated = null;

    /// <inheritdoc/>
    public void Dispose() => _evaluating.Dispose();

    private FoundDerivation? Check(StorePath derivation, StorePath wanted) =>
        store.Read(derivation) is var read && read.Find(wanted) is not null ? new FoundDerivation(derivation, read, wanted) : null;

    private async Task<bool> TryCopyAsync(StorePath derivation, CancellationToken cancellation)
    {
        try
        {
            await store.CopyDerivationAsync(derivation, cancellation);
            return true;
        }
        catch (NixException)
        {
            return false; // it is not in the machine's store
        }
    }

    /// <summary>Returns the derivations by the outputs of all that the expressions need. Evaluates again when a path is lacking and the
    /// last evaluation is old.</summary>
    private async Task<Dictionary<StorePath, StorePath>> EvaluatedAsync(StorePath wanted, CancellationToken cancellation)
    {
        await _evaluating.WaitAsync(cancellation);
        try
        {
            var lifetime = _faults.Length > 0 ? FailureLifetime : Lifetime;
            if (_evaluated is not { } known || (!known.ContainsKey(wanted) && time.GetElapsedTime(_evaluatedAt) >= lifetime))
            {
                known = await EvaluateAsync(cancellation);
                (_evaluated, _evaluatedAt) = (known, time.GetTimestamp());
            }

            return known;
        }
        finally
        {
            _evaluating.Release();
        }
    }

    private async Task<Dictionary<StorePath, StorePath>> EvaluateAsync(CancellationToken cancellation)
    {
        var outputs = new Dictionary<StorePath, StorePath>();
        _faults = "";
        foreach (var expression in expressions)
        {
            try
            {
                var tops = await store.EvaluateAsync(expression, cancellation);
                foreach (var path in (await store.ClosureAsync(tops, cancellation)).Where(Derivation.IsNamedBy))
                {
                    Add(path, outputs);
                }
            }
            catch (NixException exception)
            {
                _faults += $"; {expression} cannot be evaluated: {exception.Message}";
            }
        }

        return outputs;
    }

    private void Add(StorePath derivation, Dictionary<StorePath, StorePath> outputs)
    {
        try
        {
            foreach (var output in store.Read(derivation).Outputs)
            {
                outputs.TryAdd(output.Path, derivation);
            }
        }
        catch (NixException)
        {
            // a content-addressed one, which has no output to look for
        }
    }
}
