using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Testing;

namespace TrustixProxy.Nars.Tests.Upstreams;

/// <summary>The state of one upstream, on a clock that the test moves.</summary>
public sealed class UpstreamHealthTests
{
    private readonly ManualTime _clock = new();
    private readonly UpstreamHealth _health;

    public UpstreamHealthTests() => _health = new UpstreamHealth("main", _clock, NullLogger.Instance);

    [Fact]
    public void One_that_was_never_asked_is_unknown_and_is_asked()
    {
        Assert.Equal(new UpstreamStatus(UpstreamState.Unknown), _health.Status);
        Assert.False(_health.IsAway);
    }

    [Fact]
    public void Three_failures_with_a_failed_probe_among_them_make_it_away_and_one_answer_brings_it_back()
    {
        _health.Report(UpstreamFailure.ConnectionRefused);
        _health.ReportProbe(new UpstreamFault(UpstreamFailure.ConnectionRefused));
        Assert.Equal(UpstreamState.Failing, _health.Status.State);

        _health.Report(UpstreamFailure.ConnectionRefused);
        Assert.Equal(UpstreamState.Away, _health.Status.State);
        Assert.True(_health.Away.IsCompleted);
        Assert.Equal(0, _health.Returns);

        _health.ReportAnswer();
        Assert.Equal(new UpstreamStatus(UpstreamState.Live), _health.Status);
        Assert.False(_health.Away.IsCompleted);
        _health.ReportAnswer();
        Assert.Equal(1, _health.Returns);
    }

    [Fact]
    public async Task A_fault_of_ours_does_not_end_the_probing_of_one_that_is_away()
    {
        var (probes, log) = (0, new FaultyLog());
        var health = new UpstreamHealth("main", TimeProvider.System, log);
        using var prober = new UpstreamProber(
            "main", _ => Task.FromResult<UpstreamFault?>(++probes < 5 ? new UpstreamFault(UpstreamFailure.ConnectionRefused) : null),
            health, new HappyEyeballs(TimeProvider.System), TimeSpan.FromSeconds(5), TimeProvider.System, NullLogger.Instance);
        health.Report(UpstreamFailure.ConnectionRefused);
        health.Report(UpstreamFailure.ConnectionRefused);

        prober.Begin();

        await Eventually.UntilAsync(() => health.Status.State is UpstreamState.Live);
        Assert.True(log.Thrown);
    }

    [Fact]
    public async Task One_that_was_silent_and_came_back_is_found_although_it_never_answers_what_it_was_asked_before()
    {
        var (health, probes) = (new UpstreamHealth("main", TimeProvider.System, NullLogger.Instance), 0);
        using var prober = new UpstreamProber(
            "main",
            async cancellation =>
            {
                await Task.Delay(Interlocked.Increment(ref probes) < 3 ? Timeout.InfiniteTimeSpan : TimeSpan.Zero, cancellation);
                return null;
            },
            health, new HappyEyeballs(TimeProvider.System), TimeSpan.FromHours(1), TimeProvider.System, NullLogger.Instance);

        prober.Begin();

        await Eventually.UntilAsync(() => health.Status.State is UpstreamState.Away);
        await Eventually.UntilAsync(() => health.Status.State is UpstreamState.Live);
        Assert.Equal(3, probes);
    }

    [Theory]
    [InlineData(0, UpstreamState.Away)]
    [InlineData(400, UpstreamState.Live)]
    public async Task One_that_is_far_away_has_time_to_answer_its_first_probe_and_one_near_by_that_is_silent_has_not(
        int connectMilliseconds, UpstreamState state)
    {
        var (health, answer) = (new UpstreamHealth("main", TimeProvider.System, NullLogger.Instance), TimeSpan.FromMilliseconds(1500));
        var connecting = new HappyEyeballs(TimeProvider.System, dial: async (_, cancellation) =>
        {
            await Task.Delay(connectMilliseconds, cancellation);
            return Stream.Null;
        });
        var states = new ConcurrentBag<UpstreamState>();
        using var prober = new UpstreamProber(
            "main",
            async cancellation =>
            {
                await connecting.ConnectAsync(new DnsEndPoint("127.0.0.1", 1), null, cancellation);
                await Task.Delay(answer - TimeSpan.FromMilliseconds(connectMilliseconds), cancellation);
                states.Add(health.Status.State);
                return null;
            },
            health, connecting, TimeSpan.FromSeconds(10), TimeProvider.System, NullLogger.Instance);

        prober.Begin();

        await Eventually.UntilAsync(() => health.Status.State is UpstreamState.Live);
        Assert.Equal(state is UpstreamState.Away, states.First() is UpstreamState.Away);
    }

    /// <summary>Throws at the first message.</summary>
    private sealed class FaultyLog : ILogger
    {
        public bool Thrown { get; private set; }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!Thrown)
            {
                Thrown = true;
                throw new InvalidOperationException("a fault that nobody has thought of");
            }
        }
    }

    [Fact]
    public void One_path_that_always_fails_does_not_make_it_away_while_probes_are_answered()
    {
        for (var i = 0; i < 20; i++)
        {
            _health.Report(new UpstreamFault(UpstreamFailure.HttpStatus, 500));
            _health.ReportProbe(null);
        }

        Assert.False(_health.IsAway);
    }

    [Fact]
    public void The_first_real_cause_is_kept_with_its_time_and_the_latest_is_named_beside_it()
    {
        _health.Report(UpstreamFailure.NameResolution);
        _clock.Now += TimeSpan.FromMinutes(5);
        _health.ReportProbe(new UpstreamFault(UpstreamFailure.HttpStatus, 503));
        _health.ReportProbe(new UpstreamFault(UpstreamFailure.HttpStatus, 503));

        Assert.StartsWith(
            "away since 2030-01-01T00:00:00Z (name-resolution, by now http-503", _health.Status.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void That_it_is_silent_is_a_guess_which_a_failure_that_has_a_name_replaces()
    {
        _health.ReportSilence();
        Assert.Equal(UpstreamFailure.Silent, _health.Status.Cause!.Kind);

        _health.ReportProbe(new UpstreamFault(UpstreamFailure.NameResolution));

        Assert.Equal(UpstreamFailure.NameResolution, _health.Status.Cause!.Kind);
        Assert.True(_health.IsAway);
    }

    [Fact]
    public void An_answered_probe_does_not_hide_why_useless_answers_make_it_failing()
    {
        for (var i = 0; i < 3; i++)
        {
            _health.Report(new UpstreamFault(UpstreamFailure.HttpStatus, 401));
        }

        _health.ReportProbe(null);

        Assert.Equal(UpstreamState.Failing, _health.Status.State);
        Assert.Equal(new UpstreamFault(UpstreamFailure.HttpStatus, 401), _health.Status.Cause);
    }

    [Fact]
    public void Useless_answers_in_a_row_make_it_failing_and_never_away()
    {
        var html = new UpstreamFault(UpstreamFailure.NotANarinfo);
        _health.Report(html);
        _health.Report(html);
        Assert.Equal(new UpstreamStatus(UpstreamState.Live), _health.Status);

        for (var i = 0; i < 50; i++)
        {
            _health.Report(html);
        }

        Assert.Equal((UpstreamState.Failing, html), (_health.Status.State, _health.Status.Cause));
        _health.ReportAnswer();
        Assert.Equal(UpstreamState.Live, _health.Status.State);
    }

    [Fact]
    public void A_useless_answer_shows_that_one_which_was_away_can_be_reached()
    {
        _health.ReportSilence();

        _health.Report(new UpstreamFault(UpstreamFailure.HttpStatus, 401));

        Assert.False(_health.IsAway);
    }

    [Fact]
    public void It_came_back_when_it_was_away_or_of_no_use_and_not_after_one_failure()
    {
        _health.ReportAnswer();
        _health.Report(UpstreamFailure.ConnectionRefused);
        _health.ReportAnswer();
        Assert.Equal(0, _health.Returns);

        for (var i = 0; i < UpstreamHealth.Run; i++)
        {
            _health.Report(new UpstreamFault(UpstreamFailure.NotANarinfo));
        }

        Assert.Equal(0, _health.Returns);
        _health.ReportAnswer();
        Assert.Equal(1, _health.Returns);
        _health.ReportSilence();
        _health.ReportProbe(null);
        Assert.Equal(2, _health.Returns);
    }

    [Fact]
    public void A_successor_begins_with_what_was_known()
    {
        _health.ReportSilence();
        _health.ReportAnswer();
        _health.ReportSilence();
        var heir = new UpstreamHealth("main", _clock, NullLogger.Instance);
        _clock.Now += TimeSpan.FromHours(1);

        heir.TakeOver(_health);

        Assert.Equal("away since 2030-01-01T00:00:00Z (silent)", heir.Status.ToString());
        Assert.Equal(1, heir.Returns);
    }

    public static TheoryData<string> Causes() => [.. ExceptionsByWord.Keys];

    [Theory]
    [MemberData(nameof(Causes))]
    public void Every_exception_has_its_word(string word) =>
        Assert.Equal(word, UpstreamFaultException.FaultOf(ExceptionsByWord[word]).Word);

    [Fact]
    public void An_untrusted_certificate_names_its_remedy() =>
        Assert.Contains("NIX_SSL_CERT_FILE", new UpstreamFault(UpstreamFailure.UntrustedCertificate).ToString(), StringComparison.Ordinal);

    private static readonly Dictionary<string, Exception> ExceptionsByWord = new()
    {
        ["name-resolution"] = new HttpRequestException("no", new SocketException((int)SocketError.HostNotFound)),
        ["connection-refused"] = new HttpRequestException("no", new SocketException((int)SocketError.ConnectionRefused)),
        ["connection-reset"] = new HttpRequestException("no", new IOException("no", new SocketException((int)SocketError.ConnectionReset))),
        ["unreachable"] = new HttpRequestException("no", new SocketException((int)SocketError.NetworkUnreachable)),
        ["silent"] = new TaskCanceledException("late"),
        ["untrusted-certificate"] = new HttpRequestException(
            "no", new AuthenticationException("errors in the certificate chain: UntrustedRoot")),
        ["client-certificate"] = new HttpRequestException(
            "no", new IOException("no", new IOException("error:0A00045C:SSL routines::tlsv13 alert certificate required"))),
        ["tls"] = new HttpRequestException("no", new AuthenticationException("RemoteCertificateNameMismatch")),
        ["proxy-refused"] = new HttpRequestException(HttpRequestError.ProxyTunnelError, "no"),
        ["redirect-refused"] = new UpstreamFaultException(UpstreamFailure.RedirectRefused, "no"),
        ["request-failed"] = new InvalidOperationException("ours"),
    };
}
