using TrustixProxy.IO.Connecting;
using TrustixProxy.Nix;
using TrustixProxy.Rebuilder.Stores;

namespace TrustixProxy.Rebuilder.Builds;

/// <summary>What a substituter says of an input.</summary>
/// <param name="Decision">The proxy's decision, such as <c>agreed</c>; <c>no decision</c> of another cache; <c>absent</c>.</param>
/// <param name="NarHash">The NAR hash that it names; null when it has none.</param>
internal sealed record InputVote(string Decision, NixHash? NarHash)
{
    /// <summary>Whether a quorum has voted for these bytes.</summary>
    public bool IsVotedFor(NixHash hash) => Decision is "agreed" && NarHash?.Equals(hash) is true;
}

/// <summary>Asks the substituter of the inputs which of them a quorum has voted for.</summary>
internal sealed class InputVotes(Uri substituter, TimeProvider time) : IDisposable
{
    private const string DecisionHeader = "X-Trustix-Decision";

    private readonly HttpClient _http = new(new PeerTransport(HttpProxies.FromEnvironment, time))
    {
        Timeout = TimeSpan.FromSeconds(60),
        MaxResponseContentBufferSize = NarInfo.MaxSize,
    };

    /// <summary>Asks for one path.</summary>
    public async Task<InputVote> AskAsync(OwnPath path, CancellationToken cancellation)
    {
        if (substituter.Scheme is not ("http" or "https"))
        {
            return new InputVote("no decision", null);
        }

        try
        {
            var url = $"{substituter.AbsoluteUri.TrimEnd('/')}/{path.Path.Digest}.narinfo";
            using var response = await _http.GetAsync(url, cancellation);
            var decision = response.Headers.TryGetValues(DecisionHeader, out var values) && IsWord(values.First()) ? values.First()
                : "no decision";
            return !response.IsSuccessStatusCode ? new InputVote("absent", null)
                : NarInfo.TryParse(await response.Content.ReadAsByteArrayAsync(cancellation), out var narInfo, out _)
                    && narInfo.StorePath == path.Path ? new InputVote(decision, narInfo.NarHash) : new InputVote("no narinfo", null);
        }
        catch (Exception exception) when (exception is HttpRequestException
            || (exception is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            return new InputVote("unreachable", null);
        }
    }

    /// <summary>Whether a substituter's decision has the form of one. It is recorded, and shown on terminals.</summary>
    private static bool IsWord(string text) =>
        text.Length is > 0 and <= 40 && text.All(character => char.IsAsciiLetterLower(character) || character is '-');

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();
}
