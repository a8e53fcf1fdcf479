using TrustixProxy.Configuration;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Terminal;
using TrustixProxy.Verbs.Inspect;

namespace TrustixProxy.Verbs.Manage;

/// <summary>What <c>init</c> tries of a configuration that it has written: who answers, and the first lines of <c>doctor</c>. Every wait
/// has an end, and the proxy's state stays untouched.</summary>
/// <param name="options">The configuration, with a state directory of its own.</param>
/// <param name="output">Where it says what it finds.</param>
internal sealed class FirstLook(SubstituterOptions options, TextWriter output) : IDisposable
{
    /// <summary>How many paths it has examined, and how many lines of the report it shows.</summary>
    private const int MostPaths = 40, MostLines = 8;

    private static readonly TimeSpan Answering = TimeSpan.FromSeconds(5), Examining = TimeSpan.FromSeconds(20);

    /// <summary>A clock further off than this makes certificates and witnesses fail.</summary>
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(2);

    private readonly Explainer _explainer = new(options);

    /// <summary>Looks at what a configuration file leads to.</summary>
    public static async Task RunAsync(string file, TextWriter output, CancellationToken cancellation)
    {
        var (read, _) = ConfigurationFile.Read(file, section => ServeConfiguration.Read(section, isCheck: true));
        if (read is null)
        {
            return; // init has refused it
        }

        foreach (var warning in read.Warnings())
        {
            output.WriteLine($"warning: {warning}");
        }

        if (TemporaryFolder.TryMake("trustix-init-", out var state) is { } fault)
        {
            output.WriteLine($"not tried whether anybody answers: {fault}");
            return;
        }

        try
        {
            using var look = new FirstLook(
                read.Options with { StateDirectory = state, NarStore = null, Redis = null, Deadline = Answering }, output);
            if (await look.AskElectorsAsync() | await look.AskUpstreamsAsync(cancellation))
            {
                await look.ExamineAsync(file, cancellation);
            }
            else
            {
                output.WriteLine("doctor has nobody to ask yet; once the network is there: "
                    + $"trustix-proxy doctor --config {ShellWord.Of(file)}");
            }
        }
        finally
        {
            Directory.Delete(state, recursive: true);
        }
    }

    public void Dispose() => _explainer.Dispose();

    /// <summary>Asks every elector about a path that nobody has built: whoever answers can be reached, and a log's key is the right
    /// one.</summary>
    /// <returns>Whether one of them answers.</returns>
    private async Task<bool> AskElectorsAsync()
    {
        if (!StorePath.TryParse($"{new string('0', 32)}-trustix-proxy-init", options.Policy.Store, out var nobodys, out _)
            || (await _explainer.ExplainAsync(nobodys.Digest, nobodys, isHasty: true)).Verdict is not { } verdict)
        {
            return false;
        }

        foreach (var answer in verdict.Answers)
        {
            var url = options.Logs.Where(log => log.Elector == answer.Elector).Select(log => log.Url)
                .Concat(options.Caches.Where(cache => cache.Elector == answer.Elector).Select(cache => cache.Url)).FirstOrDefault();
            var trouble = answer.Ballot is Ballot.Silent silent
                ? $"does not vote ({Kebab.Of(silent.Reason)}): {SilenceRemedy.Of(answer) ?? "try again later."}" : null;
            output.WriteLine($"{(answer.Elector is Elector.Log ? "log" : "cache")} {answer.Elector.Name} at {url} {trouble ?? "answers"}");
        }

        return verdict.Answers.Any(answer => answer.Ballot is not Ballot.Silent);
    }

    /// <returns>Whether an upstream answers.</returns>
    private async Task<bool> AskUpstreamsAsync(CancellationToken cancellation)
    {
        var answers = await Task.WhenAll(options.Upstreams
            .Where(upstream => upstream.Url.Scheme is "http" or "https" && upstream.Credentials is null)
            .Select(async upstream => (upstream.Name, upstream.Url, Said: await AskAsync(upstream, cancellation))));
        foreach (var (name, url, said) in answers)
        {
            output.WriteLine($"upstream {name} at {url} {said ?? "answers"}");
        }

        return answers.Any(answer => answer.Said is null);
    }

    /// <returns>What is wrong; null when it answers as a binary cache of the store.</returns>
    private async Task<string?> AskAsync(UpstreamOptions upstream, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(Answering);
        using var transport = new PeerTransport(options.Proxies, TimeProvider.System) { Tls = upstream.Tls };
        using var client = new HttpClient(transport) { MaxResponseContentBufferSize = 64 << 10 };
        try
        {
            using var response = await client.GetAsync(
                new Uri($"{upstream.Url.AbsoluteUri.TrimEnd('/')}/nix-cache-info"), limit.Token);
            if (UpstreamFault.OfStatus((int)response.StatusCode) is { } fault)
            {
                return $"is of no use yet ({fault})";
            }

            if (response.Headers.Date is { } date && (TimeProvider.System.GetUtcNow() - date).Duration() is var off && off > ClockTolerance)
            {
                output.WriteLine($"this machine's clock and that of {upstream.Name} are {off:d\\.hh\\:mm\\:ss} apart: set the clock, or "
                    + "certificates and witnesses' signatures are taken for expired or not yet valid");
            }

            var text = await response.Content.ReadAsStringAsync(limit.Token);
            return text.Contains($"StoreDir: {options.Policy.Store.Directory}", StringComparison.Ordinal) ? null
                : $"is no binary cache of {options.Policy.Store}: check its url, also its path";
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return $"does not answer within {Answering.TotalSeconds:0} s: check its url, this machine's network and http_proxy";
        }
        catch (HttpRequestException exception)
        {
            return $"cannot be reached ({UpstreamFault.OfException(exception)})";
        }
    }

    /// <summary>Has some paths of this machine's system examined, and shows the first lines of the report.</summary>
    private async Task ExamineAsync(string file, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(Examining);
        try
        {
            if (Systems().Select(link => StorePathArgument.TryRead(link, out var path) ? path : null)
                .FirstOrDefault(path => path?.Store == options.Policy.Store) is not { } system)
            {
                output.WriteLine("doctor finds no system or profile here to examine; later: "
                    + $"trustix-proxy doctor PATH --config {ShellWord.Of(file)}");
                return;
            }

            var closure = await MachineStore.ClosureAsync(system, limit.Token);
            var patients = await PatientReader.DescribeAsync([.. closure.Take(MostPaths)], limit.Token);
            var findings = await new Doctor(_explainer, options.Policy).ExplainAsync(patients, () => { }, limit.Token);
            using var report = new StringWriter();
            new DoctorReport(findings, _explainer.Upstreams, _explainer.Unwitnessed, []).Write(report, isJson: false);
            var lines = report.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
            output.WriteLine($"doctor on {patients.Count:N0} of the {closure.Count:N0} paths of {system.Absolute}:");
            foreach (var line in lines.Take(MostLines))
            {
                output.WriteLine($"  {line}");
            }

            output.WriteLine($"the whole: trustix-proxy doctor --config {ShellWord.Of(file)}");
        }
        catch (Exception exception) when ((exception is OperationCanceledException && !cancellation.IsCancellationRequested)
            || exception is NixException)
        {
            output.WriteLine($"doctor is not done ({(exception is NixException ? exception.Message
                : $"it takes longer than {Examining.TotalSeconds:0} s")}); later: trustix-proxy doctor --config {ShellWord.Of(file)}");
        }
    }

    private static IEnumerable<string> Systems()
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return ["/run/current-system", Path.Combine(home, ".nix-profile"), "/nix/var/nix/profiles/default",
            Path.Combine(home, ".guix-profile")];
    }
}
