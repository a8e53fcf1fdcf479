using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace TrustixProxy.Nars.Comparison;

/// <summary>Lists the files of a NAR in Nix's form, while the NAR streams by.</summary>
/// <remarks>
/// <code>
/// {"root":NODE,"version":1}
/// NODE = {"entries":{"NAME":NODE,…},"type":"directory"}
///      | {"executable":true,"narOffset":N,"size":N,"type":"regular"}    without "executable" where it is not
///      | {"target":"TEXT","type":"symlink"}
/// </code>
/// Members stand in the order in which Nix writes them. Source: nix <c>nar-accessor.cc</c>, <c>listNar</c>.</remarks>
public sealed class NarListing
{
    /// <summary>Maximum size of a listing in bytes: some 300,000 files.</summary>
    public const int MaxSize = 32 << 20;

    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly string _source;
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private readonly Utf8JsonWriter _json;
    private int _open; // directories that are not closed yet

    private NarListing(string source) => (_source, _json) = (source, new Utf8JsonWriter(_bytes, Plain));

    /// <summary>Reads a NAR to its end, and returns its listing.</summary>
    /// <param name="source">The NAR; its hash and size are checked.</param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <exception cref="NarUnreadableException">The NAR is truncated or contradicts its claim, its listing would be too large, or a name
    /// is no text.</exception>
    public static async Task<byte[]> WriteAsync(NarSource source, CancellationToken cancellation)
    {
        await using var walk = new NarWalk(source, allowsCaseHack: true, cancellation);
        var listing = new NarListing(source.Name);
        await using var json = listing._json;
        json.WriteStartObject();
        json.WritePropertyName("root"u8);
        await walk.MoveNextAsync();
        while (walk.Node is { } node)
        {
            listing.Add(walk, node);
            await walk.MoveNextAsync();
        }

        listing.CloseTo(0);
        json.WriteNumber("version"u8, 1);
        json.WriteEndObject();
        await json.FlushAsync(cancellation);
        return listing._bytes.WrittenSpan.ToArray();
    }

    private void Add(NarWalk walk, NarNode node)
    {
        CloseTo(walk.Path.Length);
        if (walk.Path.Length > 0)
        {
            _json.WritePropertyName(Text(walk.Path[^1]));
        }

        _json.WriteStartObject();
        switch (node.Kind)
        {
            case NarNodeKind.Directory:
                _json.WriteStartObject("entries"u8);
                _open++;
                break;
            case NarNodeKind.File:
                WriteFile(walk, node);
                break;
            default:
                _json.WriteString("target"u8, Text(walk.Target));
                _json.WriteString("type"u8, "symlink"u8);
                _json.WriteEndObject();
                break;
        }

        if (_json.BytesCommitted + _json.BytesPending > MaxSize)
        {
            throw new NarUnreadableException(_source, $"has a listing of more than {MaxSize:N0} bytes");
        }
    }

    private void WriteFile(NarWalk walk, NarNode node)
    {
        if (node.IsExecutable)
        {
            _json.WriteBoolean("executable"u8, true);
        }

        _json.WriteNumber("narOffset"u8, walk.Offset);
        _json.WriteNumber("size"u8, node.Size);
        _json.WriteString("type"u8, "regular"u8);
        _json.WriteEndObject();
    }

    /// <summary>Closes directories until this many are open.</summary>
    private void CloseTo(int open)
    {
        for (; _open > open; _open--)
        {
            _json.WriteEndObject();
            _json.WriteString("type"u8, "directory"u8);
            _json.WriteEndObject();
        }
    }

    /// <remarks>JSON has no bytes that are not UTF-8, and what replaces them could make two names one. Nix writes no such listing
    /// either.</remarks>
    private byte[] Text(byte[] bytes) => Utf8.IsValid(bytes) ? bytes
        : throw new NarUnreadableException(_source, "has a name or target that is not UTF-8, which no listing can hold");
}
