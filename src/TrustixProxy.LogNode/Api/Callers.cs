using System.Collections.Concurrent;
using System.Security.Cryptography;
using TrustixProxy.IO.Connections;
using TrustixProxy.Nix;

namespace TrustixProxy.LogNode.Api;

/// <summary>Identifies callers by the token of a call. Our tokens are valid once, for a minute. The reference's can be replayed, so they
/// are accepted only from loopback and unix sockets unless configured.</summary>
internal sealed class Callers(IReadOnlyCollection<NixPublicKey> known, bool? acceptReference, TimeProvider time)
{
    /// <summary>Maximum difference between a token's time and ours.</summary>
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(60);

    /// <summary>Maximum number of remembered tokens; calls beyond this number a minute are refused.</summary>
    private const int MaxRemembered = 200_000;

    private const int MaxVerified = 1000;

    private readonly ConcurrentDictionary<Guid, long> _used = new();
    private readonly ConcurrentDictionary<(string Header, string Procedure), NixPublicKey> _verified = new();
    private long _nextCleaning;

    /// <summary>Identifies the caller; null without a token. Returns false, with the response, for an invalid token.</summary>
    public bool TryIdentify(
        string header, Listener listener, string procedure, ReadOnlySpan<byte> body, out NixPublicKey? caller, out ConnectAnswer refusal)
    {
        (caller, refusal) = (null, default);
        if (header.Length is 0)
        {
            return true;
        }

        var isKnown = _verified.TryGetValue((header, procedure), out caller);
        WriteToken? token = null;
        if (!isKnown && WriteToken.TryParse(header, out token))
        {
            caller = FindSigner(token, header, procedure);
        }

        var error = caller is null ? "the token is not valid for this call"
            : isKnown || token!.IsReference ? (acceptReference ?? listener.IsLocal ? null : "tokens of this form can be replayed "
                + "and are accepted only on loopback and unix listeners: use trustix-proxy's form, or set referenceTokens")
            : !CryptographicOperations.FixedTimeEquals(token.Body, SHA256.HashData(body)) ? "the token was made for another message"
            : (DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(token.Time!.Value, 0, uint.MaxValue)) - time.GetUtcNow()).Duration() > Window
                ? $"the token's time is more than {Window.TotalSeconds:0} s from the log's: set the clock"
            : !TryUse(new Guid(token.Nonce!)) ? "the token was used before, or too many tokens came within a minute"
            : null;
        refusal = error is null ? default : ConnectAnswer.Fail(ConnectCode.Unauthenticated, error);
        return error is null;
    }

    /// <summary>Finds the key that signed a token. The reference's form is equal for every call, so its verification is cached.</summary>
    private NixPublicKey? FindSigner(WriteToken token, string header, string procedure)
    {
        var signer = known.FirstOrDefault(key => token.IsBy(key, procedure));
        if (signer is not null && token.IsReference && _verified.Count < MaxVerified)
        {
            _verified.TryAdd((header, procedure), signer);
        }

        return signer;
    }

    private bool TryUse(Guid nonce)
    {
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        var next = Interlocked.Read(ref _nextCleaning);
        if (now >= next && Interlocked.CompareExchange(ref _nextCleaning, now + 10, next) == next)
        {
            foreach (var (old, _) in _used.Where(entry => entry.Value < now))
            {
                _used.TryRemove(old, out _);
            }
        }

        return _used.Count < MaxRemembered && _used.TryAdd(nonce, now + (2 * (long)Window.TotalSeconds) + 1);
    }
}
