using System.Text;
using TrustixProxy.Apt;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Fuzz;

/// <summary>Debian's indexes, what apt asks for, and what rebuilders answer and sign.</summary>
internal static class AptDoors
{
    private const string FileName = "hello_2.12.3-1_amd64.deb";

    private static readonly byte[] Index = Encoding.ASCII.GetBytes(
        $"Package: hello\nVersion: 2.12.3-1\nArchitecture: amd64\nDescription: x\n y\nFilename: pool/main/h/hello/{FileName}\nSize: 1\n"
            + $"SHA256: {new string('a', 64)}\n\n");

    public static IEnumerable<Door> All()
    {
        var (key, file) = (KeyOf("a-public-keys.json"), FileOf(FileName));
        var (alice, link) = (new Rebuilder("alice", "alice", key), Vector("a-hello.in-toto.link"));
        var policy = new Policy([alice]);
        var asked = new AskedDeb(file, ((DebBallot.Claimed)DebBallot.Of(link, alice, file)).Claim.Sha256);
        var bundle = DebBundle.Of(
            DebVerdict.Decide(policy, asked, new Dictionary<string, DebBallot> { ["alice"] = DebBallot.Of(link, alice, file) }, default),
            DateTimeOffset.UnixEpoch, policy);
        var seal = new DebSeal(new RecordSeal(NixSecretKey.Generate("fuzz-1"), []), policy);

        yield return Door.OfText("DebFile", text => DebFile.TryParse(text, out _), FileName, "g++_4:14.2-1~bpo12+1_all.udeb");
        yield return Door.OfText("ArchiveRequest", IsRequest, $"/debian/pool/main/h/hello/{FileName}", "/debian/dists/sid/InRelease",
            "/debian/pool/main/g/gcc/g%2b%2b_14.2-1%7ebpo12%2b1_amd64.deb",
            $"/debian/dists/sid/main/binary-amd64/by-hash/SHA256/{new string('a', 64)}");
        yield return new Door("PackagesReader", [Index, [.. Index, .. Index]], bytes => Packages(bytes) > 0);
        yield return new Door("RebuilderKey", [.. Keys.Select(Vector)],
            bytes => RebuilderKey.TryParse(Encoding.UTF8.GetString(bytes), out _, out _));
        yield return new Door("RebuilderdReply, keys", [Vector("a-public-keys.json")], bytes => RebuilderdReply.TryReadKeys(bytes, out _));
        yield return new Door("RebuilderdReply, packages", [Vector("a-hello-packages-binary.json"), Vector("b-sl-packages-binary.json")],
            bytes => RebuilderdReply.TryReadPackages(bytes, file, out _));
        yield return new Door("RebuildLink", [link], bytes => IsLink(bytes, key, asked));
        yield return new Door("DebBundle", [bundle.ToBytes()],
            bytes => DebBundle.IsOne(bytes) && DebBundle.TryVerify(bytes, policy, out _, out _));
        yield return new Door("DebSeal", [seal.Seal(bundle)], bytes => seal.TryOpen(asked, bytes, out _));
        yield return Door.OfText("BundleTime", text => BundleTime.TryParse(text, out _), BundleTime.Of(DateTimeOffset.UnixEpoch));
    }

    private static string[] Keys => ["reproduce-debian-net-amd64.pub", "reproducible-archlinux.pub"];

    /// <summary>A damaged link is none, or says what was signed.</summary>
    private static bool IsLink(byte[] bytes, RebuilderKey key, AskedDeb asked)
    {
        var isLink = RebuildLink.TryVerify(bytes, key, FileName, out var claim, out _);
        return isLink && !asked.IsClaimedBy(claim) ? throw new InvalidOperationException("A claim that nobody signed.") : isLink;
    }

    /// <summary>No target leads out of its archive.</summary>
    private static bool IsRequest(string text)
    {
        var isRequest = ArchiveRequest.TryParse(text, out var request, out _);
        return isRequest && request!.Path.Split('/').Any(segment => segment is "" or "." or "..")
            ? throw new InvalidOperationException(request.Path) : isRequest;
    }

    private static long Packages(byte[] bytes)
    {
        var reader = new PackagesReader(_ => { });
        foreach (var part in bytes.Chunk(61))
        {
            reader.Append(part);
        }

        reader.Complete();
        return reader.Found;
    }

    private static byte[] Vector(string name) => File.ReadAllBytes($"Vectors/rebuilderd/{name}");

    private static RebuilderKey KeyOf(string name) => RebuilderdReply.TryReadKeys(Vector(name), out var keys) ? keys[0] : null!;

    private static DebFile FileOf(string name) => DebFile.TryParse(name, out var file) ? file : null!;
}
