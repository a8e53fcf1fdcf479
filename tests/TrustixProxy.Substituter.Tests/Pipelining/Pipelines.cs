using System.Buffers;
using System.Text;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Pipelining;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Pipelining;

/// <summary>Makes and reads requests that follow each other on one connection.</summary>
internal static class Pipelines
{
    private static readonly string[] Odd =
    [
        "GET /nix-cache-info HTTP/1.1\r\nHost: x\r\n\r\n",
        "HEAD /0123456789abcdfghijklmnpqrsvwxyz.narinfo HTTP/1.1\r\nhost: x\r\nConnection: keep-alive\r\n\r\n",
        "GET /0123456789ABCDFGHIJKLMNPQRSVWXYZ.narinfo HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /%30.narinfo?x=y HTTP/1.1\r\nHost: x\r\nAccept: text/html;q=0.9\r\nCookie: a=b; c=\"d\"\r\n\r\n",
        "GET http://x/0123456789abcdfghijklmnpqrsvwxyz.narinfo HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 66\r\n\r\nGET /0123456789abcdfghijklmnpqrsvwxyz.narinfo HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n39\r\nGET /0123456789abcdfghijklmnpqrsvwxyz.narinfo HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ];

    /// <summary>A plain request for a narinfo.</summary>
    /// <param name="digest">The digest of its path.</param>
    /// <param name="headers">Further header lines, each with its end.</param>
    public static string Get(object digest, string headers = "") => $"GET /{digest}.narinfo HTTP/1.1\r\nHost: x\r\n{headers}\r\n";

    /// <summary>A random digest.</summary>
    public static StorePathDigest RandomDigest() => TestOutput.PathOf("x").Digest;

    /// <summary>Random requests: mostly plain ones, and odd ones among them.</summary>
    public static string Random(Random random) => string.Concat(Enumerable.Range(0, random.Next(1, 12)).Select(_ =>
        random.Next(3) is 0 ? Odd[random.Next(Odd.Length)]
        : Get(RandomDigest(), string.Concat(Enumerable.Repeat($"X: {new string('a', random.Next(200))}\r\n", random.Next(3))))));

    /// <summary>The same bytes in pieces.</summary>
    public static ReadOnlySequence<byte> Split(byte[] bytes, Random random)
    {
        var first = new Piece(bytes.AsMemory(0, random.Next(bytes.Length + 1)), null);
        var last = first;
        for (var at = first.Memory.Length; at < bytes.Length; at += last.Memory.Length)
        {
            last = new Piece(bytes.AsMemory(at, Math.Min(random.Next(1, 90), bytes.Length - at)), last);
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    /// <summary>All requests that are seen, and how the look ends.</summary>
    public static (List<RequestHead> Heads, HeadReading End) See(ReadOnlySequence<byte> bytes)
    {
        var heads = new List<RequestHead>();
        while (true)
        {
            var reading = RequestHead.Read(bytes, SenderHeaders.None, out var head);
            if (reading is HeadReading.Whole or HeadReading.Last)
            {
                heads.Add(head);
                bytes = bytes.Slice(head.Length);
            }

            if (reading is not HeadReading.Whole)
            {
                return (heads, reading);
            }
        }
    }

    public static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> bytes, Piece? before)
        {
            Memory = bytes;
            if (before is not null)
            {
                RunningIndex = before.RunningIndex + before.Memory.Length;
                before.Next = this;
            }
        }
    }
}
