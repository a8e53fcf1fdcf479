using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Google.Protobuf;
using TrustixProxy.IO.Streams;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Client;

/// <summary>Answers a mirror's calls from static files, as the operator's <c>log export</c> writes them.</summary>
/// <remarks>The files are no more trusted than a node's answers: the caller verifies them. Lookups of a single key need a node, so they
/// fail here.</remarks>
/// <param name="files">Fetches files relative to its base address.</param>
internal sealed class ExportedLog(HttpClient files) : HttpMessageHandler
{
    /// <summary>Fetches the value of one entry by its number, because files cannot be found by digest.</summary>
    public const string ValueCall = "files/GetValueAt";

    /// <summary>Maximum size of one file, in bytes.</summary>
    private const int MaxFile = 64 << 20;

    /// <summary>Maximum total size of the keys in one answer, in bytes.</summary>
    private const int MaxKeys = 8 << 20;

    /// <summary>Maximum number of cached hash tiles. Only full tiles are cached: the next proofs need them again.</summary>
    private const int MaxTiles = 64;

    private readonly ConcurrentDictionary<string, byte[]> _tiles = new();
    private readonly ExportedMapHeads _mapHeads = new();
    private readonly SemaphoreSlim _turn = new(1); // serializes reads of the map heads
    private long _size, _mapHeadSize; // of the newest head read so far
    private ArchiveDescription? _description; // read again for a new head, and after a fault: another export may have taken its place

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            if (request.Method == HttpMethod.Get)
            {
                return await FindAsync(request.RequestUri!.AbsolutePath.TrimStart('/'), cancellationToken) is { } file
                    ? Answer(HttpStatusCode.OK, "text/plain", file) : Answer(HttpStatusCode.NotFound, "text/plain", []);
            }

            var body = await request.Content!.ReadAsByteArrayAsync(cancellationToken);
            return Answer(HttpStatusCode.OK, "application/proto", request.RequestUri!.Segments[^1] switch
            {
                "GetHead" => (await HeadAsync(cancellationToken)).ToByteArray(),
                "GetLogEntries" => (await EntriesAsync(GetLogEntriesRequest.Parser.ParseFrom(body), cancellationToken)).ToByteArray(),
                "GetLogConsistencyProof" =>
                    await ProofAsync(GetLogConsistencyProofRequest.Parser.ParseFrom(body), LogProofAsync, cancellationToken),
                "GetMHLogConsistencyProof" =>
                    await ProofAsync(GetLogConsistencyProofRequest.Parser.ParseFrom(body), MapHeadProofAsync, cancellationToken),
                "GetValueAt" =>
                    (await ValueAsync(NumberOf("Start", GetLogEntriesRequest.Parser.ParseFrom(body).Start), cancellationToken))
                    .ToByteArray(),
                var other => throw new InvalidDataException($"files do not answer {other}"),
            });
        }
        catch (InvalidDataException exception)
        {
            _description = null;
            return Answer(HttpStatusCode.InternalServerError, "application/json",
                Encoding.UTF8.GetBytes(new JsonObject { ["code"] = "data_loss", ["message"] = exception.Message }.ToJsonString()));
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            files.Dispose();
            _turn.Dispose();
        }

        base.Dispose(disposing);
    }

    private static HttpResponseMessage Answer(HttpStatusCode status, string type, byte[] body) =>
        new(status) { Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue(type) } } };

    private static long NumberOf(string field, ulong value) =>
        WireNumber.TryRead(value, out long number) ? number
            : throw new InvalidDataException($"{field} is {value}; it must be less than 2^63");

    /// <summary>Whether the export is of version 2. One without a description is of version 1.</summary>
    private async Task<bool> HasCheckpointsAsync(CancellationToken cancellation)
    {
        var description = _description ?? (await FindAsync(ArchiveLayout.Description, cancellation) is { } file
            ? Decode(ArchiveLayout.Description, file, ArchiveDescription.Decode) : new ArchiveDescription(1, "", ""));
        _description = description;
        return description.HasCheckpoints;
    }

    private async Task<LogHead> HeadAsync(CancellationToken cancellation)
    {
        _tiles.Clear(); // drops a wrong tile, so that the next attempt fetches it again
        var head = Decode(
            ArchiveLayout.Head, await FindAsync(ArchiveLayout.Head, cancellation), bytes => ArchiveLayout.Parse(LogHead.Parser, bytes));
        var sizes = (NumberOf("head: TreeSize", head.TreeSize), NumberOf("head: MHTreeSize", head.MHTreeSize));
        _description = sizes == (_size, _mapHeadSize) ? _description : null;
        (_size, _mapHeadSize) = sizes;
        return head;
    }

    private async Task<LogEntriesResponse> EntriesAsync(GetLogEntriesRequest request, CancellationToken cancellation)
    {
        var (response, next, keys) = (new LogEntriesResponse(), NumberOf("Start", request.Start), 0);
        Func<byte[], IEnumerable<(byte[] Key, Digest ValueDigest)>> decode =
            await HasCheckpointsAsync(cancellation) ? ArchiveLayout.DecodeLeaves : DecodeEntries;
        var end = Math.Min(NumberOf("Finish", request.Finish), long.MaxValue - 1) + 1;
        while (next < end)
        {
            var (index, start) = (next / ArchiveLayout.Width, next / ArchiveLayout.Width * ArchiveLayout.Width);
            foreach (var (key, digest) in await RecordsAsync(
                ArchiveLayout.Entries, index, _size, Math.Min(end - start, ArchiveLayout.Width), decode, cancellation))
            {
                if (start++ == next && next < end)
                {
                    keys += key.Length;
                    if (keys > MaxKeys)
                    {
                        throw new InvalidDataException($"the keys of entries {request.Start} to {next} are longer than {MaxKeys} bytes");
                    }

                    response.Leaves.Add(new LogLeaf
                    {
                        Key = UnsafeByteOperations.UnsafeWrap(key),
                        ValueDigest = WireMessage.ToBytes(digest),
                        LeafDigest = WireMessage.ToBytes(MerkleHash.LogLeaf(key, digest))
                    });
                    next++;
                }
            }
        }

        return response;
    }

    private async Task<ValueResponse> ValueAsync(long number, CancellationToken cancellation)
    {
        var (index, within) = (number / ArchiveLayout.Width, (int)(number % ArchiveLayout.Width));
        var values = await HasCheckpointsAsync(cancellation)
            ? await RecordsAsync(ArchiveLayout.Values, index, _size, within + 1, ArchiveLayout.DecodeValues, cancellation)
            : await RecordsAsync(ArchiveLayout.Entries, index, _size, within + 1,
                file => ArchiveLayout.DecodeEntries(file).Select(entry => entry.Value), cancellation);
        return new ValueResponse { Value = UnsafeByteOperations.UnsafeWrap(values[within]) };
    }

    private static IEnumerable<(byte[] Key, Digest ValueDigest)> DecodeEntries(byte[] file) =>
        ArchiveLayout.DecodeEntries(file).Select(entry => (entry.Key, Digest.Of(entry.Value)));

    private static async Task<byte[]> ProofAsync(
        GetLogConsistencyProofRequest request, Func<long, long, CancellationToken, Task<Digest[]>> prove, CancellationToken cancellation)
    {
        var proof = new ProofResponse();
        var (first, second) = (NumberOf("FirstSize", request.FirstSize), NumberOf("SecondSize", request.SecondSize));
        proof.Proof.AddRange((await prove(first, second, cancellation)).Select(WireMessage.ToBytes));
        return proof.ToByteArray();
    }

    private Task<Digest[]> LogProofAsync(long older, long newer, CancellationToken cancellation) =>
        TileProofAsync(older, newer, "", _size, cancellation);

    /// <summary>Proves that a tree grew, from its hash tiles.</summary>
    /// <param name="older">The older size.</param>
    /// <param name="newer">The newer size.</param>
    /// <param name="tree">The tree's folder.</param>
    /// <param name="size">Number of its leaves, by the newest head.</param>
    private async Task<Digest[]> TileProofAsync(long older, long newer, string tree, long size, CancellationToken cancellation)
    {
        var nodes = new Dictionary<(int Level, long Index), Digest>();
        foreach (var (level, index) in NodesOf(older, newer))
        {
            nodes[(level, index)] = await SubtreeAsync(tree, size, level, index, cancellation);
        }

        return MerkleTree.ConsistencyProof(older, newer, (level, index) => nodes[(level, index)]);
    }

    private async Task<Digest[]> MapHeadProofAsync(long older, long newer, CancellationToken cancellation)
    {
        if (await HasCheckpointsAsync(cancellation))
        {
            return await TileProofAsync(older, newer, ArchiveLayout.MapHeads, _mapHeadSize, cancellation);
        }

        await _turn.WaitAsync(cancellation);
        try
        {
            return await _mapHeads.ProveAsync(older, newer, NodesOf(older, newer), HeadsAsync);
        }
        finally
        {
            _turn.Release();
        }

        async Task<List<Digest>> HeadsAsync(long index)
        {
            var heads = await RecordsAsync(ArchiveLayout.Heads, index, _mapHeadSize,
                Math.Min(newer - (index * ArchiveLayout.Width), ArchiveLayout.Width), ArchiveLayout.DecodeHeads, cancellation);
            return [.. heads.Select(
                head => SignedTreeHead.TryRead(head.Head, out var read, out _) ? MerkleHash.MapHeadLeaf(read.Content.MapRoot) : default)];
        }
    }

    /// <summary>Lists the subtrees that make up a consistency proof.</summary>
    private static HashSet<(int Level, long Index)> NodesOf(long older, long newer)
    {
        var nodes = new HashSet<(int Level, long Index)>();
        MerkleTree.ConsistencyProof(older, newer, (level, index) =>
        {
            nodes.Add((level, index));
            return default;
        });
        return nodes;
    }

    /// <summary>Computes the root of a full subtree from the tile with its leaves, or with the roots of the tiles below.</summary>
    private async Task<Digest> SubtreeAsync(string tree, long size, int level, long index, CancellationToken cancellation)
    {
        var (tileLevel, inner) = (level / 8, level % 8);
        var (first, count) = (index << inner, 1 << inner);
        var (tile, within) = (first / ArchiveLayout.Width, (int)(first % ArchiveLayout.Width));
        var hashes = await RecordsAsync(
            tree + ArchiveLayout.Level(tileLevel), tile, size >> (8 * tileLevel), within + count, ArchiveLayout.DecodeHashes, cancellation);
        return MerkleTree.RootOf([.. hashes.Skip(within).Take(count)]);
    }

    /// <summary>Reads the records of a file: the full file, or the partial one of the newest size.</summary>
    /// <param name="index">The file's index in the folder.</param>
    /// <param name="size">Number of records in the folder, by the newest head.</param>
    /// <param name="least">Minimum number of records in the file.</param>
    /// <param name="folder">The folder of the files.</param>
    /// <param name="decode">Decodes the records.</param>
    private async Task<List<T>> RecordsAsync<T>(
        string folder, long index, long size, long least, Func<byte[], IEnumerable<T>> decode, CancellationToken cancellation)
    {
        var there = Math.Clamp(size - (index * ArchiveLayout.Width), least, ArchiveLayout.Width);
        foreach (var width in new[] { ArchiveLayout.Width, there, least }.Distinct().OrderByDescending(width => width == there))
        {
            var name = ArchiveLayout.FileName(folder, index, (int)width);
            if (await FindAsync(name, cancellation) is { } bytes)
            {
                var records = Decode(name, bytes, file => decode(file).ToList());
                return records.Count == width ? records
                    : throw new InvalidDataException($"{name} holds {records.Count} records; it must hold {width}");
            }
        }

        throw new InvalidDataException($"{ArchiveLayout.FileName(folder, index, (int)there)} is not there");
    }

    private static T Decode<T>(string name, byte[]? bytes, Func<byte[], T> decode)
    {
        try
        {
            return decode(bytes ?? throw new InvalidDataException("is not there"));
        }
        catch (InvalidDataException exception)
        {
            throw new InvalidDataException($"{name} {exception.Message}", exception);
        }
    }

    /// <summary>Fetches a file; null when it does not exist.</summary>
    private async Task<byte[]?> FindAsync(string name, CancellationToken cancellation)
    {
        if (_tiles.TryGetValue(name, out var known))
        {
            return known;
        }

        using var response = await files.GetAsync(new Uri(name, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, cancellation);
        if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Forbidden)
        {
            return null;
        }

        if (response.StatusCode is not HttpStatusCode.OK || response.Content.Headers.ContentEncoding.Count > 0)
        {
            throw new HttpRequestException($"{name}: HTTP {(int)response.StatusCode}");
        }

        var bytes = await ReadAsync(name, response.Content, cancellation);
        if (bytes.Length == ArchiveLayout.Width * Digest.Size && !name.StartsWith(ArchiveLayout.Entries, StringComparison.Ordinal))
        {
            if (_tiles.Count >= MaxTiles)
            {
                _tiles.Clear();
            }

            _tiles[name] = bytes;
        }

        return bytes;
    }

    private static async Task<byte[]> ReadAsync(string name, HttpContent content, CancellationToken cancellation)
    {
        await using var stream = await content.ReadAsStreamAsync(cancellation);
        return (await BoundedStream.ReadWholeAsync(stream, MaxFile, length: null, cancellation))?.ToArray()
            ?? throw new InvalidDataException($"{name} is longer than {MaxFile} bytes");
    }
}
