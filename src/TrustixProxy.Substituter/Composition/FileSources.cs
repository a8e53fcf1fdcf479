using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.Traces;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Substituter.Composition;

/// <summary>An elector that votes with files, and the client of its server.</summary>
/// <param name="Client">Queries the elector.</param>
/// <param name="Source">Sends the requests; electors may share one.</param>
internal sealed record FileSource(ElectorClient Client, Upstream Source)
{
    /// <summary>The elector.</summary>
    public Elector Elector => Client.Elector;

    /// <summary>Creates the client that asks for build traces; null if the elector signs none.</summary>
    public TraceElector? ToTraceElector(TimeProvider time) =>
        Client is CacheElector && Elector is Elector.Cache cache ? new TraceElector(cache, Source, time) : null;
}

/// <summary>Creates the clients of signed caches, rebuilders and servers of proof files.</summary>
/// <param name="upstreams">The upstreams; a signed cache at the address of one shares its client.</param>
/// <param name="network">Carries all requests; sockets if null.</param>
internal sealed class FileSources(
    SubstituterOptions options, ImmutableArray<Upstream> upstreams, TimeProvider time, ILogger logger, HttpMessageHandler? network)
{
    /// <summary>Creates all clients. Rebuilders on one lila server share one.</summary>
    public ImmutableArray<FileSource> Open()
    {
        var servers = options.Caches.Where(cache => cache.Protocol is CacheProtocol.Lila).DistinctBy(cache => (cache.Url, cache.Tls))
            .ToDictionary(
                cache => (cache.Url, cache.Tls), cache => Open(cache.Elector.Name, cache.Url, cache.Tls, ServedFile.Attestations));
        return
        [
            .. options.Caches.Select(cache =>
                cache.Protocol is CacheProtocol.Lila ? OfRebuilder(cache, servers[(cache.Url, cache.Tls)]) : OfCache(cache)),
            .. options.Proofs.Select(OfProofs),
        ];
    }

    private static FileSource OfRebuilder(CacheOptions cache, Upstream server) => new(new LilaElector(cache.Elector, server), server);

    private FileSource OfCache(CacheOptions cache)
    {
        var source = upstreams.FirstOrDefault(
                upstream => upstream.Options.Url == cache.Url && (cache.Tls is null || cache.Tls == upstream.Options.Tls))
            ?? Open(cache.Elector.Name, cache.Url, cache.Tls, ServedFile.NarInfoOf(options.Policy.Store));
        return new FileSource(new CacheElector(cache.Elector, source), source);
    }

    private FileSource OfProofs(ProofOptions proofs)
    {
        var file = ServedFile.Proof(proofs.Elector.Submitters.IsEmpty ? "tlog-proof" : "sigsum", TlogProof.MaxSize);
        var source = Open(proofs.Elector.Name, proofs.Url, proofs.Tls, file);
        return new FileSource(new ProofElector(proofs.Elector, source, time), source);
    }

    /// <summary>Creates a client with the credentials of the upstream at the same address.</summary>
    private Upstream Open(string name, Uri url, PeerTls? tls, ServedFile file)
    {
        var upstream = options.Upstreams.FirstOrDefault(upstream => upstream.Url == url);
        return new Upstream(
            new UpstreamOptions(name, url, 0, upstream?.Credentials)
            {
                Proxies = options.Proxies,
                Serves = file,
                Tls = tls ?? upstream?.Tls,
            },
            options.Deadline, time, logger, network);
    }
}
