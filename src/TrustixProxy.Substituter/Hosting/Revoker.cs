using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Revocations;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Revokes through the proxy running over a state directory, or directly in its state database; lists revocations.</summary>
/// <param name="options">The proxy's configuration.</param>
public sealed class Revoker(SubstituterOptions options) : IDisposable
{
    private readonly RecordSeal _seal = new(options.SigningKey, options.PreviousSigningKeys);
    private RevocationStore? _store;

    private RevocationStore Store => _store ??= new RevocationStore(options.StateDirectory, _seal);

    /// <summary>Revokes a subject, or reverses its revocation.</summary>
    /// <param name="isUndone">Whether to reverse an earlier revocation.</param>
    /// <returns>The number, or null if there was nothing to reverse; whether a running proxy accepted it; and the fault, if any.</returns>
    public async Task<(long? Number, bool IsRunning, string? Fault)> RevokeAsync(
        RevokedSubject subject, bool isUndone, string reason, CancellationToken cancellation)
    {
        var request = new ControlRequest("revoke", subject.ToString(), reason, isUndone);
        if (await ControlSocket.AskAsync(Path.Combine(options.StateDirectory, ControlSocket.FileName), request, cancellation) is { } reply)
        {
            return (reply.Number, true, reply.Fault);
        }

        var register = new RevocationRegister(Store, _seal, [], TimeProvider.System, NullLogger.Instance, new StoredHeads(options));
        var number = register.Give(subject, isUndone, reason)?.Number;
        return register.IsAheadOfDisk ? (null, false, $"The state database in {options.StateDirectory} refused the write: nothing "
            + $"is revoked. Free disk space, or start the proxy and revoke again.") : (number, false, null);
    }

    /// <summary>Returns all revocations ever issued, oldest first.</summary>
    public IReadOnlyList<Revocation> All() => Store.Load();

    /// <inheritdoc/>
    public void Dispose() => _store?.Dispose();

    /// <summary>Heads in the state database.</summary>
    private sealed class StoredHeads(SubstituterOptions options) : KnownHeads
    {
        public override RevokedHead? HeadOf(string logId)
        {
            using var views = new ViewStore(options.StateDirectory);
            return options.Logs.FirstOrDefault(log => log.Elector.Key.LogId == logId) is { } known
                && views.Load(known.Elector.Key).View is { Head.Content: var content }
                ? new RevokedHead(content.TreeSize, content.LogRoot)
                : null;
        }
    }
}
