using System.Text;
using TrustixProxy.Consensus;
using TrustixProxy.LogNode.Api;
using TrustixProxy.Nars;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Fuzz;

/// <summary>A place where foreign bytes come in.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Seeds">Input that it accepts.</param>
/// <param name="Open">Offers input; whether it was accepted.</param>
internal sealed record Door(string Name, IReadOnlyList<byte[]> Seeds, Func<byte[], bool> Open)
{
    public static Door OfText(string name, Func<string, bool> open, params string[] seeds) =>
        new(name, [.. seeds.Select(Encoding.UTF8.GetBytes)], bytes => open(Encoding.UTF8.GetString(bytes)));
}

/// <summary>Every <c>TryParse</c>, <c>TryRead</c> and <c>TryVerify</c>, and every reader of streams.</summary>
internal static class Doors
{
    private const string Path = "7f8p3f8i50ssdjmxwd5ccd5y1ykgm9xj-hello-2.12.1",
        Hash = "1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s";
    private const int MaxDecoded = 1 << 20;

    private static readonly TestOutput Output = TestOutput.Make(size: 3000);

    public static IReadOnlyList<Door> All { get; } = [.. Texts(), .. Streams(), .. ProofDoors.All, .. EvidenceDoors.All, .. NoteDoors.All,
        .. GuixDoors.All(), .. TraceDoors.All(), .. AptDoors.All()];

    private static IEnumerable<Door> Texts()
    {
        var secret = NixSecretKey.Generate("fuzz-1");
        var policy = new Policy([new Elector.Log("alice", "alice", new LogSigner(new byte[32]).Key)]);
        var records = new RecordSeal(secret, [NixSecretKey.Generate("fuzz-0")]);
        var seal = new DecisionSeal(records, policy);
        var digest = Output.Path.Digest;

        yield return Door.OfText("StorePathDigest", text => StorePathDigest.TryParse(text, out _), Path[..32]);
        yield return Door.OfText("StorePath", text => StorePath.TryParse(text, out _, out _), Path);
        yield return Door.OfText("StorePath, absolute", text => StorePath.TryParseAbsolute(text, out _, out _), $"/nix/store/{Path}");
        yield return Door.OfText("NixHash", text => NixHash.TryParse(text, out _, out _), $"sha256:{Hash}",
            NixHash.Sha256(new byte[32]).ToSri(), NixHash.Sha256(new byte[32]).ToBase16());
        yield return Door.OfText("Nix32", text => Nix32.TryDecode(text, new byte[32]), Hash);
        yield return Door.OfText("NixPublicKey", text => NixPublicKey.TryParse(text, out _, out _), secret.PublicKey.ToString());
        yield return Door.OfText("NixSecretKey", text => NixSecretKey.TryParse(text, out _, out _), secret.Export());
        yield return Door.OfText("NixSignature", text => NixSignature.TryParse(text, out _), secret.Sign("x").ToString());
        yield return Door.OfText(
            "ContentAddress", text => ContentAddress.TryParse(text, out _), $"fixed:r:sha256:{Hash}", $"text:sha256:{Hash}");
        yield return Door.OfText("RevokedSubject", text => RevokedSubject.TryParse(text, out _), $"path {Path[..32]}", $"nar sha256:{Hash}",
            $"log {new string('a', 64)} 12");
        yield return Door.OfText("NarUrl", text => NarUrl.TryParse(text, out _), $"nar/{Path[..32]}/{Hash}/{Hash}.nar",
            $"nar/{Path[..32]}/{Hash}/{Hash}.nar.xz");
        yield return new Door(
            "WireNumber", [new byte[8]], bytes => bytes.Length is 8 && WireNumber.TryRead(BitConverter.ToUInt64(bytes), out _));
        yield return Door.OfText("LogKey", text => LogKey.TryParse(text, out _, out _), new LogSigner(new byte[32]).Key.ToString());
        yield return Door.OfText("WriteToken", text => WriteToken.TryParse(text, out _), WriteToken.MakeReference(secret, "/a.B/C")
            .ToString(), WriteToken.Make(secret, "/a.B/C", "x"u8, DateTimeOffset.UnixEpoch).ToString());
        yield return Door.OfText("PathInfo", text => PathInfo.TryParse(text, out _, out _),
            $$"""{"/nix/store/{{Path}}": {"narHash": "sha256:{{Hash}}", "narSize": 120, "references": ["/nix/store/{{Path}}"] } }""",
            $$"""[{"path":"/nix/store/{{Path}}","narHash":"sha256:{{Hash}}","narSize":120,"references":[]}]""");
        yield return new Door("NarInfo", [Encoding.UTF8.GetBytes(
            $"StorePath: /nix/store/{Path}\nURL: nar/x.nar.xz\nCompression: xz\nFileHash: sha256:{Hash}\nFileSize: 5\nNarHash: "
                + $"sha256:{Hash}\nNarSize: 120\nReferences: {Path}\nDeriver: {Path}.drv\nSig: {secret.Sign("x")}\nCA: "
                + $"fixed:r:sha256:{Hash}\n")],
            bytes => NarInfo.TryParse(bytes, out _, out _));
        yield return new Door(
            "RecordSeal", [records.Seal("kind", "name", "body"u8)], bytes => records.TryOpen("kind", "name", bytes, out _));
        yield return new Door(
            "OutcomeWords", [.. Enum.GetValues<Outcome>().Select(outcome => Encoding.ASCII.GetBytes(outcome.Word()))],
            bytes => OutcomeWords.TryParse(Encoding.UTF8.GetString(bytes), out _));
        yield return new Door("DecisionSeal",
            [seal.Seal(digest, DecisionRecord.Refusal(Outcome.Conflict, "reason", DateTimeOffset.UnixEpoch))],
            bytes => seal.TryOpen(digest, bytes, out _, out _));
    }

    private static IEnumerable<Door> Streams()
    {
        yield return new Door("NarReader", [Output.Nar, Tree()], ReadNar);
        foreach (var compression in new[] { "xz", "zstd", "bzip2", "br", "gzip" })
        {
            yield return new Door($"NAR, {compression}", [Output.File(compression)], bytes => Decode(compression, bytes));
        }
    }

    private static byte[] Tree()
    {
        using var stream = new MemoryStream();
        var nar = new NarWriter(stream);
        nar.Directory();
        nar.Entry("a");
        nar.File("x"u8, executable: true);
        nar.EndEntry();
        nar.Entry("b");
        nar.Symlink("a");
        nar.EndEntry();
        nar.EndDirectory();
        return stream.ToArray();
    }

    private static bool ReadNar(byte[] bytes)
    {
        var reader = new NarReader();
        foreach (var part in bytes.Chunk(97))
        {
            reader.Append(part);
        }

        return reader.Complete() is NarError.None;
    }

    private static bool Decode(string compression, byte[] bytes)
    {
        using var stream = NarCompression.Open(compression, new MemoryStream(bytes));
        var buffer = new byte[4096];
        try
        {
            var (read, total) = (1, 0);
            while (read > 0 && total < MaxDecoded)
            {
                read = stream.ReadAsync(buffer).AsTask().GetAwaiter().GetResult();
                total += read;
            }
        }
        catch (InvalidDataException)
        {
            return false;
        }

        return true;
    }
}
