using TrustixProxy.Nars;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Fuzz.Delivery;

/// <summary>How a delivery ended.</summary>
internal enum DeliveryEnd
{
    /// <summary>All bytes that were asked for, and the right ones.</summary>
    Whole,

    /// <summary>The connection broke: the client knows that it has not all.</summary>
    Cut,

    /// <summary>The connection broke, as it had to: the answer promised another length or sent bytes that the file does not have.</summary>
    CutAsItHadTo,

    /// <summary>404, or 416 to a range.</summary>
    Refused,

    /// <summary>The client went away.</summary>
    Left,

    /// <summary>A body that ended as if it were whole, and is not what was asked for.</summary>
    Wrong,

    /// <summary>Another status.</summary>
    Fault,

    /// <summary>Nothing came for long.</summary>
    Hung,
}

/// <summary>What a client asks for.</summary>
/// <param name="Output">The output.</param>
/// <param name="NarInfo">The narinfo that the proxy gave for it.</param>
/// <param name="Start">The first byte that is wanted of its file; 0 for all.</param>
internal sealed record DeliveryOrder(TestOutput Output, NarInfo NarInfo, int Start)
{
    private byte[] File => Output.File(NarInfo.Compression);

    /// <summary>How many bytes the file has.</summary>
    public int FileSize => File.Length;

    /// <summary>Judges a body that ended as if it were whole.</summary>
    public async Task<DeliveryEnd> JudgeWholeAsync(ReadOnlyMemory<byte> body) =>
        body.Span.SequenceEqual(File.AsSpan(Start)) || (Start is 0 && await HoldsNarAsync(body)) ? DeliveryEnd.Whole : DeliveryEnd.Wrong;

    /// <summary>Judges a body that broke off.</summary>
    /// <param name="body">What came of it.</param>
    /// <param name="promised">How many bytes the header promised; null when it said nothing.</param>
    public DeliveryEnd JudgeCut(ReadOnlySpan<byte> body, long? promised)
    {
        var wanted = File.AsSpan(Start);
        return (promised ?? wanted.Length) == wanted.Length && wanted.StartsWith(body) ? DeliveryEnd.Cut : DeliveryEnd.CutAsItHadTo;
    }

    /// <summary>Whether the body is the NAR in other bytes than the URL names: with padding behind it.</summary>
    private async Task<bool> HoldsNarAsync(ReadOnlyMemory<byte> body)
    {
        try
        {
            await using var decoded = NarCompression.Open(NarInfo.Compression, new MemoryStream(body.ToArray()));
            using var nar = new MemoryStream();
            await decoded.CopyToAsync(nar);
            return nar.ToArray().AsSpan().SequenceEqual(Output.Nar);
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }
}
