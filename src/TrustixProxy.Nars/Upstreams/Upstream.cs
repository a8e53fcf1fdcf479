using System.Collections.Concurrent;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.IO.Connecting;
using TrustixProxy.IO.Metering;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>One binary cache: fetches narinfos, bounded in size and time, and returns the addresses of NARs.</summary>
public sealed class Upstream : IDisposable
{
    /// <summary>Maximum number of tries per path while the upstream fails; no try begins later than <see cref="TryFor"/> after the
    /// first.</summary>
    private const int MostTries = 3;

    private static readonly TimeSpan TryFor = TimeSpan.FromSeconds(2), LongestPause = TimeSpan.FromMilliseconds(200);

    /// <summary>Maximum time of a try that began after the upstream went away.</summary>
    private static readonly TimeSpan LateTry = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan FoundLifetime = TimeSpan.FromMinutes(10);

    /// <summary>How long a missing path is not asked for again: newly pushed paths are found soon.</summary>
    private static readonly TimeSpan AbsentLifetime = TimeSpan.FromSeconds(2);

    /// <summary>Requests within this time count as made at once.</summary>
    private static readonly TimeSpan SameTime = TimeSpan.FromMilliseconds(100);

    private readonly Uri _base;
    private readonly TimeSpan _timeout, _firstPause; // the pauses of all tries take a small part of the available time
    private readonly TimeProvider _time;
    private readonly UpstreamProber _prober;
    private readonly ConcurrentDictionary<FileKey, Lazy<Task<UpstreamAnswer>>> _underway = new();
    private readonly MemoryCache _known = new(new MemoryCacheOptions { SizeLimit = 8 << 20 });

    /// <param name="timeout">Maximum time of one narinfo request.</param>
    /// <param name="network">Sends requests; sockets when null.</param>
    public Upstream(
        UpstreamOptions options, TimeSpan timeout, TimeProvider time, ILogger? logger = null, HttpMessageHandler? network = null)
    {
        (Options, _timeout, _time, logger) = (options, timeout, time, logger ?? NullLogger.Instance);
        _firstPause = timeout / 50 < LongestPause ? timeout / 50 : LongestPause;
        _base = options.Url.IsFile ? FolderTransport.Base : new Uri(options.Url.AbsoluteUri.TrimEnd('/') + "/");
        (Health, History) = (new UpstreamHealth(options.Name, time, logger), new AnswerHistory(time));
        var connecting = new HappyEyeballs(time);
        HttpMessageHandler transport = options.Url.IsFile
            ? new FolderTransport(options.Url.LocalPath)
            : new UpstreamTransport(_base, options.Credentials, time, network, options.Proxies, connecting, options.Tls);
        Http = new HttpMessageInvoker(
            new UpstreamGate(transport, options.Concurrency, new UpstreamThrottle(Health, time), Health), disposeHandler: network is null);
        _prober = new UpstreamProber(
            options.Name, cancellation => FileRequest.ProbeAsync(Http, new Uri(_base, options.ProbeFile), cancellation), Health,
            connecting, timeout, time, logger);
    }

    public UpstreamOptions Options { get; }

    /// <summary>Tracks whether the upstream can be asked; NAR requests report to it too.</summary>
    public UpstreamHealth Health { get; }

    /// <summary>What it answered to requests for narinfos, over time: found, absent, failed or away.</summary>
    public AnswerHistory History { get; private set; }

    /// <summary>Whether it is not asked now: it is away, or asked for a pause.</summary>
    public bool IsDown => Health.IsAway;

    /// <summary>Sends requests to it and follows redirects.</summary>
    public HttpMessageInvoker Http { get; }

    /// <summary>Probes whether it can be reached, unless that is known.</summary>
    public void Probe()
    {
        if (Health.Status.State is UpstreamState.Unknown or UpstreamState.Away)
        {
            _prober.Begin();
        }
    }

    /// <summary>Copies what another instance knew of the same upstream.</summary>
    public void TakeOver(Upstream before)
    {
        Health.TakeOver(before.Health);
        History = before.History;
        if (Health.IsAway)
        {
            _prober.Begin();
        }
    }

    /// <summary>Records a failed NAR request. If there was no answer, probes whether the upstream is away.</summary>
    public void NoteNarFailure(UpstreamFault fault)
    {
        Health.ReportNar(fault);
        if (!fault.IsAnswer)
        {
            _prober.Begin();
        }
    }

    /// <summary>Records the answer to a request for another file. If there was none, probes whether the upstream is away.</summary>
    public void NoteFile(UpstreamAnswer answer) => Note(answer);

    /// <summary>Asks for a narinfo, once for all concurrent callers. Uses a narinfo found in the last minutes; asks nothing while the
    /// upstream is away.</summary>
    public Task<UpstreamAnswer> AskAsync(StorePathDigest digest, CancellationToken cancellation) =>
        AskOnceAsync(new FileKey(digest, null), cancellation);

    /// <summary>Asks as <see cref="AskAsync(StorePathDigest, CancellationToken)"/> does, for a file whose address has the path's
    /// name.</summary>
    public Task<UpstreamAnswer> AskAsync(StorePath path, CancellationToken cancellation) =>
        AskOnceAsync(new FileKey(path.Digest, path), cancellation);

    /// <summary>Asks where no decision depends on it: a recent negative answer is enough.</summary>
    public async Task<UpstreamAnswer> LookAsync(StorePathDigest digest, CancellationToken cancellation) =>
        Recall(new FileKey(digest, null)) ?? await AskAsync(digest, cancellation);

    /// <summary>Returns what an answer means to a request: a shared store that fails has nothing.</summary>
    private UpstreamAnswer Meant(UpstreamAnswer answer) =>
        Options.IsShared && answer is UpstreamAnswer.Failed ? new UpstreamAnswer.Absent() : answer;

    /// <summary>Drops the cached narinfo of a digest, so that it is fetched again.</summary>
    public void Forget(StorePathDigest digest) => _known.Remove(new FileKey(digest, null));

    /// <summary>Drops the cached file of a path, so that it is fetched again.</summary>
    public void Forget(StorePath path) => _known.Remove(new FileKey(path.Digest, path));

    /// <summary>Drops the cached narinfo of a digest if it is older than a moment; true when none remains.</summary>
    /// <param name="moment">A timestamp of the clock.</param>
    public bool ForgetOlder(StorePathDigest digest, long moment)
    {
        if (_known.TryGetValue(new FileKey(digest, null), out (UpstreamAnswer Answer, long At) known) && known.At >= moment)
        {
            return false;
        }

        Forget(digest);
        return true;
    }

    /// <summary>Returns the address of a NAR; null when the narinfo's URL leads where this upstream may not lead.</summary>
    public Uri? AddressOf(NarInfo narInfo) =>
        Uri.TryCreate(_base, narInfo.Url, out var address) && UpstreamTransport.MayLead(_base, address) ? address : null;

    /// <summary>Returns a request for a NAR at its address.</summary>
    /// <remarks>guix publish sends NARs without a length, and keeps the connection open after some: it is asked to close it.</remarks>
    public static HttpRequestMessage Request(NarInfo narInfo, Uri address)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.ConnectionClose = narInfo.StorePath.Store == Nix.Store.Guix ? true : null;
        return request;
    }

    /// <summary>Requests a file beside narinfos and NARs; null when the upstream has none.</summary>
    /// <param name="name">Its address below the upstream's, escaped.</param>
    /// <param name="cancellation">Ends the request.</param>
    /// <exception cref="HttpRequestException">No answer, or one that says nothing about the file.</exception>
    public Task<UpstreamFile?> OpenAsync(string name, CancellationToken cancellation) =>
        UpstreamFile.OpenAsync(Http, new Uri(_base, name), cancellation);

    /// <summary>Reads such a file whole, once; asks nothing while the upstream is away.</summary>
    /// <param name="name">Its address below the upstream's, escaped.</param>
    /// <param name="most">Maximum length in bytes, decoded.</param>
    /// <param name="cancellation">Ends the request; then the answer is a failure.</param>
    public Task<UpstreamAnswer> ReadAsync(string name, int most, CancellationToken cancellation) =>
        Health.IsAway ? Task.FromResult<UpstreamAnswer>(AwayAnswer())
            : UpstreamFile.ReadAsync(Http, new Uri(_base, name), most, cancellation);

    public void Dispose()
    {
        _prober.Dispose();
        Http.Dispose();
        _known.Dispose();
    }

    private async Task<UpstreamAnswer> AskOnceAsync(FileKey file, CancellationToken cancellation) =>
        Meant(RecallForDecision(file) is { } known ? known
            : Health.IsAway ? AwayAnswer()
            : await _underway.GetOrAdd(file, key => new Lazy<Task<UpstreamAnswer>>(() => AskAsync(key))).Value.WaitAsync(cancellation));

    private async Task<UpstreamAnswer> AskAsync(FileKey file)
    {
        var start = _time.GetTimestamp();
        try
        {
            var answer = await TryOftenAsync(file, start);
            var took = _time.GetElapsedTime(start);
            UpstreamMetrics.Answered(Options.Name, answer, took);
            History.Add(WordOf(answer), took);
            return answer;
        }
        finally
        {
            _underway.TryRemove(file, out _);
        }
    }

    /// <summary>Tries a few times, for a short time, until there is an answer. Callers stop waiting as soon as the upstream goes
    /// away.</summary>
    private async Task<UpstreamAnswer> TryOftenAsync(FileKey file, long start)
    {
        var most = Health.IsInLongRun || Options.IsShared ? 1 : MostTries;
        for (var tries = 1; ; tries++)
        {
            var told = Health.IsAway ? Task.Delay(LateTry, _time) : Health.Away; // it may have gone away since the last try, and be back
            var trying = TryAsync(file);
            if (await Task.WhenAny(trying, told) != trying && !trying.IsCompleted)
            {
                return AwayAnswer(); // a late answer is kept, and marks it as live again
            }

            var answer = await trying;
            if (answer is not UpstreamAnswer.Failed { Fault.IsAnswer: false } || tries == most || _time.GetElapsedTime(start) >= TryFor)
            {
                return answer;
            }

            await Task.Delay(_firstPause * tries, _time);
        }
    }

    private async Task<UpstreamAnswer> TryAsync(FileKey file)
    {
        using var watch = _prober.Watch();
        using var limit = new CancellationTokenSource(_timeout, _time);
        try
        {
            AskingBudget.Charge(this);
            var answer = await FileRequest.SendAsync(Http, _base, file.Digest, file.Path, Options.Serves, limit.Token);
            Keep(file, answer);
            Note(answer);
            return answer;
        }
        catch (Exception exception)
        {
            var answer = new UpstreamAnswer.Failed(UpstreamFaultException.FaultOf(exception));
            Note(answer);
            return answer;
        }
    }

    private void Note(UpstreamAnswer answer)
    {
        if (answer is not UpstreamAnswer.Failed { Fault: var fault })
        {
            Health.ReportAnswer();
            return;
        }

        Health.Report(fault);
        if (!fault.IsAnswer)
        {
            _prober.Begin();
        }
    }

    private void Keep(FileKey file, UpstreamAnswer answer)
    {
        if (LifetimeOf(answer) is var lifetime && lifetime > TimeSpan.Zero)
        {
            var size = 1024 + answer switch
            {
                UpstreamAnswer.Found { NarInfo: var narInfo } => narInfo.References.Length * 128,
                UpstreamAnswer.FoundFile { File: var bytes } => bytes.Length,
                _ => 0,
            };
            _known.Set(file, (answer, _time.GetTimestamp()),
                new MemoryCacheEntryOptions { Size = size, AbsoluteExpirationRelativeToNow = lifetime });
        }
    }

    private UpstreamAnswer.Failed AwayAnswer() => new(Health.Status.Cause ?? new UpstreamFault(UpstreamFailure.Silent), IsAway: true);

    private UpstreamAnswer? Recall(FileKey file) =>
        _known.TryGetValue(file, out (UpstreamAnswer Answer, long At) known) && _time.GetElapsedTime(known.At) < LifetimeOf(known.Answer)
            ? known.Answer : null;

    /// <summary>Recalls an answer on which a decision may depend: a narinfo, or any answer that has just arrived. An upstream that also
    /// votes is asked for both at the same time, and one request answers both.</summary>
    private UpstreamAnswer? RecallForDecision(FileKey file) =>
        _known.TryGetValue(file, out (UpstreamAnswer Answer, long At) known)
            && _time.GetElapsedTime(known.At)
                < (known.Answer is UpstreamAnswer.Found or UpstreamAnswer.FoundFile ? FoundLifetime : SameTime)
            ? known.Answer : null;

    private static string WordOf(UpstreamAnswer answer) => answer switch
    {
        UpstreamAnswer.Found or UpstreamAnswer.FoundFile => "found",
        UpstreamAnswer.Absent => "absent",
        UpstreamAnswer.Failed { IsAway: true } => "away",
        _ => "failed",
    };

    private static TimeSpan LifetimeOf(UpstreamAnswer answer) => answer switch
    {
        UpstreamAnswer.Found or UpstreamAnswer.FoundFile => FoundLifetime,
        UpstreamAnswer.Absent => AbsentLifetime,
        UpstreamAnswer.Failed { Fault.IsAnswer: true } => SameTime,
        _ => TimeSpan.Zero,
    };

    /// <param name="Digest">The store path's digest.</param>
    /// <param name="Path">The store path; null where the digest alone makes the file's address.</param>
    private readonly record struct FileKey(StorePathDigest Digest, StorePath? Path);
}
