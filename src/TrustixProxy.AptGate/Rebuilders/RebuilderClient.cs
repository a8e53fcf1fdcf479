using System.Globalization;
using Microsoft.Extensions.Logging;
using TrustixProxy.Apt;
using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.AptGate.Rebuilders;

/// <summary>Asks one rebuilderd about packages. Rebuilders are volunteers' servers: at most two requests for a package, few at once, and
/// none while it is away or asked for a pause.</summary>
/// <remarks>
/// <code>
/// GET api/v1/packages/binary?name=…&amp;version=…&amp;architecture=…
///     ──▶ GOOD, build and artifact ──▶ GET api/v1/builds/B/artifacts/A/attestation
///     ──▶ BAD: says so, and proves nothing
///     ──▶ UNKWN, or no such package: it does not know
/// </code></remarks>
public sealed class RebuilderClient : IDisposable
{
    /// <summary>Maximum number of requests in flight.</summary>
    public const int MostAtOnce = 4;

    /// <summary>Where a rebuilderd shows its keys.</summary>
    public const string KeysPath = "api/v1/meta/public-keys";

    private const int MaxReply = 1 << 20;

    /// <param name="deadline">Maximum time of a question.</param>
    /// <param name="network">Sends requests; sockets when null.</param>
    public RebuilderClient(
        RebuilderOptions options, TimeSpan deadline, TimeProvider time, ILogger logger, HttpMessageHandler? network = null)
    {
        Options = options;
        var upstream = new UpstreamOptions(options.Elector.Name, options.Url, 0)
        {
            Concurrency = MostAtOnce,
            ProbeFile = KeysPath,
            Proxies = options.Proxies,
        };
        Upstream = new Upstream(upstream, deadline, time, logger, network);
    }

    public RebuilderOptions Options { get; }

    /// <summary>Sends its requests, and knows its health.</summary>
    public Upstream Upstream { get; }

    /// <summary>Asks about a file.</summary>
    /// <param name="asked">The file's name and SHA-256.</param>
    /// <param name="version">The package's whole version; null when only the file's name is known.</param>
    /// <param name="cancellation">Ends the question; then it was silent.</param>
    public async Task<DebBallot> AskAsync(AskedDeb asked, string? version, CancellationToken cancellation)
    {
        if (Options.Architectures is { IsEmpty: false } known && !known.Contains(asked.File.Architecture))
        {
            return new DebBallot.Unknown();
        }

        var query = $"name={Uri.EscapeDataString(asked.File.Name)}&architecture={Uri.EscapeDataString(asked.File.Architecture)}"
            + (version is null ? "" : $"&version={Uri.EscapeDataString(version)}");
        var reply = await ReadAsync($"api/v1/packages/binary?{query}", MaxReply, cancellation);
        return reply switch
        {
            UpstreamAnswer.FoundFile { File: var json } => RebuilderdReply.TryReadPackages(json, asked.File, out var status)
                ? await BallotOfAsync(asked, status, cancellation)
                : Useless(SilenceReason.BadAnswer),
            UpstreamAnswer.Failed failed => SilenceOf(failed),
            _ => Useless(SilenceReason.BadAnswer), // no rebuilderd has no list
        };
    }

    /// <inheritdoc/>
    public void Dispose() => Upstream.Dispose();

    private async Task<DebBallot> BallotOfAsync(AskedDeb asked, RebuilderdStatus status, CancellationToken cancellation)
    {
        if (status is not { Status: RebuildStatus.Good, BuildId: { } build, ArtifactId: { } artifact })
        {
            return status.Status is RebuildStatus.Bad ? new DebBallot.Bad() : new DebBallot.Unknown();
        }

        var path = string.Create(CultureInfo.InvariantCulture, $"api/v1/builds/{build}/artifacts/{artifact}/attestation");
        return await ReadAsync(path, RebuildLink.MaxSize, cancellation) switch
        {
            UpstreamAnswer.FoundFile { File: var link } => DebBallot.Of(link, Options.Elector, asked.File),
            UpstreamAnswer.Failed failed => SilenceOf(failed),
            _ => Useless(SilenceReason.NoSignature), // it says good, and signs nothing
        };
    }

    private async Task<UpstreamAnswer> ReadAsync(string path, int most, CancellationToken cancellation)
    {
        var answer = await Upstream.ReadAsync(path, most, cancellation);
        if (answer is not UpstreamAnswer.Failed { IsAway: true })
        {
            Upstream.NoteFile(answer);
        }

        return answer;
    }

    /// <summary>An answer that proves nothing. The rebuilder would soon give the same one again.</summary>
    private static DebBallot.Silent Useless(SilenceReason reason) => new(reason) { IsAnswer = true };

    private static DebBallot.Silent SilenceOf(UpstreamAnswer.Failed failed) => new(failed switch
    {
        { IsAway: true } => SilenceReason.BreakerOpen,
        { Fault.Kind: UpstreamFailure.Silent } => SilenceReason.NoAnswer,
        { Fault.Kind: UpstreamFailure.Throttled } => SilenceReason.BreakerOpen,
        { Fault.Kind: UpstreamFailure.FileTooLarge } => SilenceReason.TooLarge,
        { Fault.Kind: UpstreamFailure.Tls or UpstreamFailure.UntrustedCertificate or UpstreamFailure.ClientCertificate } =>
            SilenceReason.Tls,
        { Fault.IsAnswer: true } => SilenceReason.BadAnswer,
        _ => SilenceReason.Unreachable,
    })
    {
        IsAnswer = failed is { IsAway: false, Fault: { IsAnswer: true, Kind: not UpstreamFailure.Throttled } },
    };
}
