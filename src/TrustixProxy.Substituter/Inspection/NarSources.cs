using System.Net;
using TrustixProxy.Nars;
using TrustixProxy.Nars.Comparison;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;

namespace TrustixProxy.Substituter.Inspection;

/// <summary>NAR of a path at one upstream or cache.</summary>
/// <param name="Name">Its name in the configuration.</param>
/// <param name="Source">Its NAR; null if it has none.</param>
/// <param name="Fault">Reason for no NAR: <c>absent</c>, or the fault of its answer; null if it has one.</param>
public sealed record NarOffer(string Name, NarSource? Source, string? Fault);

/// <summary>The upstreams and caches of a configuration as untrusted sources of NARs.</summary>
public sealed class NarSources : IDisposable
{
    private readonly List<Upstream> _places;

    /// <param name="options">The proxy's configuration.</param>
    public NarSources(SubstituterOptions options) =>
        _places = [.. options.Upstreams.Concat(options.Caches.Select(cache => new UpstreamOptions(
            cache.Elector.Name, cache.Url, 0, options.Upstreams.FirstOrDefault(upstream => upstream.Url == cache.Url)?.Credentials)))
            .DistinctBy(place => place.Name)
            .Select(place => new Upstream(options.Reached(place), options.Deadline, TimeProvider.System))];

    /// <summary>All names, in the order of the configuration, upstreams first.</summary>
    public IReadOnlyList<string> Names => [.. _places.Select(place => place.Options.Name)];

    /// <summary>Queries each address once, under its first name.</summary>
    public Task<IReadOnlyList<NarOffer>> AskAllAsync(StorePath path, CancellationToken cancellation) =>
        AskAsync(path, _places.DistinctBy(place => place.Options.Url).Select(place => place.Options.Name), cancellation);

    /// <summary>Queries all sources with these names concurrently; an upstream precedes a cache of the same name.</summary>
    public async Task<IReadOnlyList<NarOffer>> AskAsync(StorePath path, IEnumerable<string> names, CancellationToken cancellation) =>
        await Task.WhenAll(_places.Where(place => names.Contains(place.Options.Name)).Select(place => AskAsync(place, path, cancellation)));

    /// <inheritdoc/>
    public void Dispose() => _places.ForEach(place => place.Dispose());

    private static async Task<NarOffer> AskAsync(Upstream place, StorePath path, CancellationToken cancellation)
    {
        var name = place.Options.Name;
        return await place.AskAsync(path.Digest, cancellation) switch
        {
            UpstreamAnswer.Absent => new NarOffer(name, null, "absent"),
            UpstreamAnswer.Failed failed => new NarOffer(name, null, failed.Reason),
            UpstreamAnswer.Found { NarInfo: var narInfo } when narInfo.StorePath != path =>
                new NarOffer(name, null, "narinfo-of-another-path"),
            UpstreamAnswer.Found { NarInfo: var narInfo } when place.AddressOf(narInfo) is null =>
                new NarOffer(name, null, "nar-cannot-be-read"),
            UpstreamAnswer.Found { NarInfo: var narInfo } =>
                new NarOffer(name, new NarSource(name, narInfo.NarHash, narInfo.NarSize, token => OpenAsync(place, narInfo, token)), null),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
    }

    private static async Task<Stream> OpenAsync(Upstream place, NarInfo narInfo, CancellationToken cancellation)
    {
        using var request = Upstream.Request(narInfo, place.AddressOf(narInfo)!);
        var response = await place.Http.SendAsync(request, cancellation);
        if (response.StatusCode is not HttpStatusCode.OK
            || NarCompression.OfContentEncoding(response.Content.Headers.ContentEncoding) is not { } encoding)
        {
            response.Dispose();
            throw new HttpRequestException($"HTTP {(int)response.StatusCode}");
        }

        return NarCompression.Open(
            narInfo.Compression, NarCompression.OpenEncoded(encoding, await response.Content.ReadAsStreamAsync(cancellation)));
    }

    /// <summary>A file of this machine: <c>.nar</c>, compressed when its name ends so (<c>.nar.xz</c>, <c>.zst</c>, <c>.br</c>), or, with
    /// another ending, when its first bytes say so (<c>.lz</c>).</summary>
    public static NarSource OfFile(string file) => new(file, null, null, _ => Task.FromResult(NarCompression.Open(
        Path.GetExtension(file) is var suffix and not ".nar" ? NarCompression.OfSuffix(suffix) ?? suffix : NarCompression.None,
        File.OpenRead(file))));
}
