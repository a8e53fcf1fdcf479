using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Connections;
using TrustixProxy.Logs.Mirrors;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Fairness;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Substituter.Pipelining;
using TrustixProxy.Substituter.Substitution;
using TrustixProxy.Substituter.Wanted;
using Yarp.ReverseProxy.Forwarder;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Serves clients under one configuration, until its last request is answered.</summary>
internal sealed class ConfiguredProxy : IAsyncDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _time;
    private readonly NarForwarder _forwarder;
    private readonly Listings _listings;
    private readonly LookAhead _ahead;
    private readonly ClientGate? _gate;
    private readonly RequestDelegate _answer;
    private readonly List<BackgroundService> _polling, _listening;
    private int _underway;

    /// <param name="journal">Journal of decisions for display.</param>
    /// <param name="before">The predecessor; null for the first.</param>
    public ConfiguredProxy(SubstituterOptions options, IHttpForwarder forwarder, DecisionJournal journal, ILoggerFactory loggers,
        TimeProvider time, ConfiguredProxy? before = null)
    {
        (Options, Connections, _time) = (options, options.FrontDoor.LimitConnections(options.Deadline), time);
        var logger = before?.Parts.Logger ?? ForeignMessages.Limit(loggers.CreateLogger("TrustixProxy"), time);
        Parts = new ProxyParts(options, logger, time, journal: journal, before: before?.Parts);
        Gossip = new Gossip(Parts.Logs);
        _forwarder = Parts.Forward(forwarder);
        var missing = new MissingReferences(Parts.Refusals, Parts.Revocations, time);
        var answers = options.Policy.Store == Store.Guix
            ? options.Answers with { Guix = new GuixAnswers(GuixSecretKey.Of(options.SigningKey).PublicKey) } : options.Answers;
        _listings = new Listings(Parts.Closure, Parts.Revocations, _forwarder, answers, options.Deadline, time);
        var endpoints = new SubstituterEndpoints(
            Parts.Closure, missing, Parts.Revocations, _forwarder, answers, options.FrontDoor, time)
        {
            Wanted = new WantedRequests(Parts.Wanted, Parts.WantedNames),
            Beside = new SideRoutes(
                new BuildLogs(Parts.Upstreams, options.Deadline, options.FrontDoor, time), _listings,
                new DebugInfo(Parts.Upstreams, Parts.Cache.Archives, Parts.Closure, options.Deadline, time),
                new BuildTraces(Parts.Traces, Parts.Closure, answers), options.Policy.Store),
        };
        _ahead = new LookAhead(
            (digest, cancellation) => Parts.Closure.DecideAsync(digest, cancellation).AsTask(),
            digest => Parts.Closure.IsWarm(digest.ToString()),
            LookAhead.MostOf(options.FrontDoor.AllClients.Concurrency ?? PollTurns.Default), time, Parts.Logger);
        _gate = ClientGate.IsNeeded(options.FrontDoor) ? new ClientGate(options.FrontDoor, _ahead, time, endpoints.AnswerAsync) : null;
        RequestDelegate answer = _gate is not null ? _gate.AnswerAsync : context =>
        {
            context.Features.Get<PipelinedConnection>()?.Admit(_ahead, Admission.Free, Requester.Of(context));
            return endpoints.AnswerAsync(context);
        };
        _answer = options.FrontDoor.ForwardedFrom?.Before(
            new ForwardedShare(options.FrontDoor.ConnectionsPerClient, answer).AnswerAsync, loggers) ?? answer;
        _listening = [
            .. new BackgroundService?[] { Parts.Redis, Parts.ViewExchange, Parts.RevocationExchange }.OfType<BackgroundService>()];
        _polling =
        [
            new HeadPoller(Parts.Polled, options.HeadPollInterval, time, Parts.Logger),
            new MirrorFollower(Parts.Mirrors, options.MirrorPollInterval, time, Parts.Logger), Parts.Prefetch,
            new DecisionPruner(Parts.Cache, Parts.KnownFiles, Parts.Traces.Kept, time, Parts.Logger),
            new GossipExchange(Gossip, options.GossipPeers, options.GossipInterval, time, Parts.Logger) { Proxies = options.Proxies },
        ];
    }

    public SubstituterOptions Options { get; }

    /// <summary>Limits on client connections.</summary>
    public ConnectionLimits Connections { get; }

    public ProxyParts Parts { get; }

    public Gossip Gossip { get; }

    public Task AnswerAsync(HttpContext context)
    {
        Interlocked.Increment(ref _underway);
        try
        {
            context.Features.Get<PipelinedConnection>()?.Arrive(context, _time);
            var answering = _answer(context);
            if (!answering.IsCompleted)
            {
                return EndAsync(answering);
            }

            Interlocked.Decrement(ref _underway);
            return answering;
        }
        catch
        {
            Interlocked.Decrement(ref _underway);
            throw;
        }
    }

    public async Task StartAsync(CancellationToken cancellation)
    {
        foreach (var service in _listening.Concat(_polling))
        {
            await service.StartAsync(cancellation);
        }

        if (!Options.OperationsListen.IsEmpty)
        {
            Parts.Probe(); // the dashboard shows upstream states from the start
        }
    }

    /// <summary>Stops the work its successor takes over; in-flight requests finish, and new revocations still apply to them.</summary>
    public Task RetireAsync(CancellationToken cancellation)
    {
        _ahead.Retire();
        return Task.WhenAll(_polling.Select(service => service.StopAsync(cancellation)));
    }

    /// <summary>Waits for the last answer and for late answers of electors.</summary>
    public async Task DrainAsync(CancellationToken cancellation)
    {
        do
        {
            await Task.Delay(Look, _time, cancellation);
        }
        while (Volatile.Read(ref _underway) > 0 || Parts.Decider.Underway > 0);
        await Task.Delay(2 * Options.Deadline, _time, cancellation);
    }

    public Task StopAsync(CancellationToken cancellation)
    {
        _ahead.Retire();
        return Task.WhenAll(_polling.Concat(_listening).Select(service => service.StopAsync(cancellation)));
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(new CancellationToken(canceled: true));
        _polling.ForEach(service => service.Dispose());
        _listings.Dispose();
        await _forwarder.DisposeAsync();
        if (_gate is not null)
        {
            await _gate.DisposeAsync();
        }

        Parts.Dispose();
    }

    private async Task EndAsync(Task answering)
    {
        try
        {
            await answering;
        }
        finally
        {
            Interlocked.Decrement(ref _underway);
        }
    }
}
