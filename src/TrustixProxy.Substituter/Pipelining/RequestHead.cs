using System.Buffers;
using System.Text;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Pipelining;

/// <summary>What stands at the start of unread bytes.</summary>
internal enum HeadReading
{
    /// <summary>A plain request without a body. The next request follows it.</summary>
    Whole,

    /// <summary>A plain request without a body. The connection closes after its answer.</summary>
    Last,

    /// <summary>The start of a request.</summary>
    Incomplete,

    /// <summary>Anything else. What follows it may be a body.</summary>
    Other,
}

/// <summary>A request that waits unread on a connection.</summary>
/// <remarks>Reads only what the server is certain to read alike: GET or HEAD of HTTP/1.1 with a plain target, CRLF at the end of each line,
/// one <c>Host</c>, nothing that announces a body or another protocol, and all of it within the server's limits.</remarks>
/// <param name="Length">Number of bytes, from the request line to the empty line.</param>
/// <param name="Digest">The digest of the requested narinfo. Null when the request is for something else, or of another client.</param>
internal readonly record struct RequestHead(int Length, StorePathDigest? Digest)
{
    /// <summary>Maximum bytes of a request line, and of all headers; Nix sends a few hundred.</summary>
    public const int MaxRequestLine = 4 << 10, MaxHeaders = 16 << 10;

    /// <summary>Maximum number of headers.</summary>
    public const int MaxHeaderCount = 64;

    private static readonly SearchValues<byte> Controls =
        SearchValues.Create([.. Enumerable.Range(0, 32).Where(code => code is not '\t').Append(127).Select(code => (byte)code)]);

    private static readonly SearchValues<byte> TargetCharacters =
        SearchValues.Create([.. Enumerable.Range('!', '~' - '!' + 1).Select(code => (byte)code)]);

    private static ReadOnlySpan<byte> Suffix => ".narinfo"u8;

    /// <summary>Reads the request at the start of unread bytes.</summary>
    /// <param name="bytes">Bytes that begin where a request begins.</param>
    /// <param name="sender">The client whose requests are looked for.</param>
    /// <param name="head">The request, if it is there in full.</param>
    public static HeadReading Read(ReadOnlySequence<byte> bytes, SenderHeaders sender, out RequestHead head)
    {
        head = default;
        var isCut = bytes.Length > MaxRequestLine + MaxHeaders;
        var reader = new SequenceReader<byte>(isCut ? bytes.Slice(0, MaxRequestLine + MaxHeaders) : bytes);
        var reading = ReadLine(ref reader, MaxRequestLine, out var line);
        if (reading is HeadReading.Whole)
        {
            var fields = new HeaderFields(sender);
            reading = TryReadRequestLine(line, out var digest) ? ReadFields(ref reader, ref fields) : HeadReading.Other;
            head = new RequestHead((int)reader.Consumed, fields.AreOfSender ? digest : null);
        }

        return reading is HeadReading.Incomplete && isCut ? HeadReading.Other : reading;
    }

    private static HeadReading ReadFields(ref SequenceReader<byte> reader, ref HeaderFields fields)
    {
        var start = reader.Consumed;
        while (true)
        {
            var reading = ReadLine(ref reader, MaxHeaders - (reader.Consumed - start), out var line);
            if (reading is not HeadReading.Whole)
            {
                return reading;
            }

            if (line.IsEmpty)
            {
                return !fields.AreWhole ? HeadReading.Other : fields.EndConnection ? HeadReading.Last : HeadReading.Whole;
            }

            if (!fields.TryTake(line))
            {
                return HeadReading.Other;
            }
        }
    }

    /// <summary>Reads a line, which ends with CRLF.</summary>
    private static HeadReading ReadLine(ref SequenceReader<byte> reader, long most, out ReadOnlySpan<byte> line)
    {
        if (!reader.TryReadTo(out line, (byte)'\n'))
        {
            return reader.Remaining < most ? HeadReading.Incomplete : HeadReading.Other;
        }

        if (line.Length >= most || line is not [.., (byte)'\r'])
        {
            return HeadReading.Other;
        }

        line = line[..^1];
        return line.ContainsAny(Controls) ? HeadReading.Other : HeadReading.Whole;
    }

    private static bool TryReadRequestLine(ReadOnlySpan<byte> line, out StorePathDigest? digest)
    {
        digest = null;
        var rest = line.StartsWith("GET /"u8) ? line[4..] : line.StartsWith("HEAD /"u8) ? line[5..] : default;
        var end = rest.IndexOf((byte)' ');
        if (end < 0 || !rest[(end + 1)..].SequenceEqual("HTTP/1.1"u8) || rest[..end].ContainsAnyExcept(TargetCharacters))
        {
            return false;
        }

        var target = rest[1..end];
        if (target.Length == StorePathDigest.Length + Suffix.Length && target.EndsWith(Suffix))
        {
            Span<char> text = stackalloc char[StorePathDigest.Length];
            Encoding.ASCII.GetChars(target[..StorePathDigest.Length], text);
            digest = StorePathDigest.TryParse(text, out var parsed) ? parsed : null;
        }

        return true;
    }
}
