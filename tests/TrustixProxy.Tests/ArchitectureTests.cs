using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace TrustixProxy.Tests;

/// <summary>Holds the rooms, their arrows and their sizes.</summary>
public sealed partial class ArchitectureTests
{
    /// <summary>The only arrows.</summary>
    private static readonly Dictionary<string, string[]> Arrows = new()
    {
        ["TrustixProxy"] = ["Apt", "AptGate", "Consensus", "IO", "LogNode", "Logs", "Nars", "Native", "Nix", "Publisher", "Rebuilder",
            "Substituter", "TransparencyLog"],
        ["Substituter"] = ["Consensus", "IO", "Logs", "Nars", "Nix", "TransparencyLog"],
        ["AptGate"] = ["Apt", "Consensus", "IO", "Nars", "Native", "Nix", "TransparencyLog"],
        ["Publisher"] = ["IO", "LogNode", "Nix", "TransparencyLog"],
        ["Rebuilder"] = ["IO", "Nix", "Publisher"],
        ["LogNode"] = ["IO", "Nix", "TransparencyLog"],
        ["Nars"] = ["Consensus", "IO", "Native", "Nix"],
        ["Logs"] = ["Consensus", "IO", "Nix", "TransparencyLog"],
        ["IO"] = ["Native"],
        ["Apt"] = ["Consensus", "Native", "Nix", "TransparencyLog"],
        ["Consensus"] = ["Nix", "TransparencyLog"],
        ["Nix"] = ["Native"],
        ["TransparencyLog"] = ["Native"],
        ["Native"] = [],
    };

    private static readonly string[] PureRooms = ["Nix", "TransparencyLog", "Consensus", "Apt"];

    [Fact]
    public void The_projects_refer_to_each_other_along_the_arrows_and_nowhere_else()
    {
        Assert.Equal(Arrows.Keys.Order(),
            Directory.GetDirectories(Path.Combine(Repository.Root, "src")).Select(folder => Room(Path.GetFileName(folder))).Order());
        foreach (var (room, arrows) in Arrows)
        {
            var references = XDocument.Load(Path.Combine(Repository.Root, "src", Project(room), $"{Project(room)}.csproj"))
                .Descendants("ProjectReference")
                    .Select(reference => Room(Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value)));
            Assert.Equal(arrows, references.Order());
        }
    }

    [Fact]
    public void The_compiled_rooms_use_only_what_their_arrows_reach()
    {
        foreach (var (room, arrows) in Arrows)
        {
            var used = Assembly.Load(room is "TrustixProxy" ? "trustix-proxy" : Project(room)).GetReferencedAssemblies()
                .Select(name => name.Name!).Where(name => name.StartsWith("TrustixProxy", StringComparison.Ordinal)).Select(Room);
            Assert.Subset(arrows.ToHashSet(), used.ToHashSet());
        }
    }

    [Fact]
    public void Pure_rooms_do_no_io_have_no_clock_and_no_async()
    {
        foreach (var room in PureRooms)
        {
            var used = Assembly.Load(Project(room)).GetReferencedAssemblies().Select(name => name.Name!).ToList();
            Assert.DoesNotContain(used, name => name.StartsWith("Microsoft.", StringComparison.Ordinal)
                || name.StartsWith("System.Net", StringComparison.Ordinal) || name is "System.IO.FileSystem" or "System.Threading.Thread");
            Assert.All(Repository.Sources($"src/{Project(room)}"), file => Assert.DoesNotMatch(Async, File.ReadAllText(file)));
        }
    }

    [Fact]
    public void Every_http_peer_is_connected_to_in_one_way()
    {
        var makers = Repository.Sources("src")
            .Where(file => File.ReadAllText(file).Contains("new SocketsHttpHandler", StringComparison.Ordinal)
            || File.ReadAllText(file).Contains("private SocketsHttpHandler", StringComparison.Ordinal));

        // RFC 8305 and HTTP proxies; and serve's sockets end on threads that must not be held
        Assert.Equal(["PeerTransport.cs"], makers.Select(Path.GetFileName));
    }

    [Fact]
    public void Programs_are_started_in_one_place()
    {
        const string place = "src/TrustixProxy.IO/Programs/ProgramStart.cs";
        var starters = Repository.Sources("src").Where(file => StartsPrograms.IsMatch(File.ReadAllText(file)));

        Assert.Equal([Path.Combine(Repository.Root, place)], starters);
    }

    [Fact]
    public void Numbers_of_foreign_messages_become_ours_in_one_place_and_by_no_cast()
    {
        // The node's own calls check each number against the log's size, and answer what is too large, a line before.
        var files = Repository.Sources("src").Where(file => !file.Contains("LogNode/Api/", StringComparison.Ordinal));

        Assert.All(files, file => Assert.DoesNotMatch(CastOfForeignNumber, File.ReadAllText(file)));
        Assert.Matches(CastOfForeignNumber, "var size = (long)head.TreeSize;");
    }

    [Fact]
    public void Unsafe_code_is_in_one_room()
    {
        foreach (var room in Arrows.Keys.Where(room => room is not "Native"))
        {
            Assert.DoesNotContain(
                "AllowUnsafeBlocks", Repository.Read($"src/{Project(room)}/{Project(room)}.csproj"), StringComparison.Ordinal);
            Assert.All(Repository.Sources($"src/{Project(room)}"), file =>
                Assert.DoesNotContain("DllImport", File.ReadAllText(file), StringComparison.Ordinal));
        }
    }

    [Fact]
    public void The_picture_in_the_documents_shows_the_arrows()
    {
        var drawn = Arrow.Matches(Repository.Read("src/README.md"))
            .ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value.Split(
                ", ", StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Order().ToArray());

        Assert.Equal(Arrows.Where(entry => entry.Value.Length > 0).OrderBy(entry => entry.Key), drawn.OrderBy(entry => entry.Key), (a, b) =>
            a.Key == b.Key && a.Value.SequenceEqual(b.Value));
    }

    [Fact]
    public void The_trust_core_and_the_pure_rooms_keep_their_budgets()
    {
        var trustCore = TrustCore.Sum(Repository.CodeLines);
        var pure = PureRooms.Sum(room => Repository.Sources($"src/{Project(room)}").Sum(Repository.CodeLines));

        // 1,100 for heads, proofs and policy; 600 for checkpoints, cosignatures, policies of witnesses and proof files; 150 for votes by
        // proof files, of C2SP, of our own logs and of Sigsum; 50 for what a quorum must span and how old its votes must be; 400 for
        // votes that are signed as GNU Guix signs: S-expressions, keys, signatures, and the fields of the signed part; 300 for build
        // traces: both forms, their votes and their records; 300 for packages: links and their canonical form, keys, verdicts, records
        Assert.InRange(trustCore, 1, 2950);
        // 5,450 before GuixAcl, the list of keys that a client of GNU Guix believes, and one form for every spelling of an RSA key; 300
        // for build traces; 1,000 for packages of Debian: indexes, names, request targets, links, verdicts, bundles; 40 for hashing the
        // map by several threads while its pages are written
        Assert.InRange(pure, 1, 6840);
    }

    [Fact]
    public void The_trust_core_is_listed_file_by_file() =>
        Assert.Equal(
            TrustCore.Select(file => Path.GetRelativePath(Path.Combine(Repository.Root, "src"), file))
                .Select(file => file["TrustixProxy.".Length..^".cs".Length]).Order(StringComparer.Ordinal),
            Listed.Matches(Repository.Read("src/TrustixProxy.Consensus/README.md")).Select(match => match.Groups[1].Value)
                .Order(StringComparer.Ordinal));

    [Fact]
    public void The_trust_core_reads_no_clock_no_disk_no_network_and_no_chance() =>
        Assert.All(TrustCore, file => Assert.DoesNotMatch(InputOrOutput, File.ReadAllText(file)));

    [Fact]
    public void No_file_is_longer_than_400_lines() =>
        Assert.DoesNotContain(Repository.Sources("src").Concat(Repository.Sources("tests")), file => File.ReadLines(file).Count() > 400);

    [Fact]
    public void Rooms_and_folders_are_named_for_what_is_in_them()
    {
        string[] banned = ["Common", "Shared", "Core", "Utils", "Utilities", "Helpers", "Abstractions", "Misc"];
        var folders = Directory.EnumerateDirectories(Path.Combine(Repository.Root, "src"), "*", SearchOption.AllDirectories)
            .Select(Path.GetFileName);

        Assert.DoesNotContain(folders, folder => banned.Contains(folder));
        Assert.All(Repository.Sources("src"), file => Assert.DoesNotMatch(Interface, File.ReadAllText(file)));
    }

    /// <summary>What a verdict's truth rests on: verification of heads, proofs and the map; fingerprint; policy; check of stored
    /// records.</summary>
    private static IEnumerable<string> TrustCore => new[]
    {
        "TransparencyLog/Digest", "TransparencyLog/MerkleHash", "TransparencyLog/InclusionProof", "TransparencyLog/ConsistencyProof",
            "TransparencyLog/MapEntry",
        "TransparencyLog/MapProof", "TransparencyLog/ProvenDigest", "TransparencyLog/SignedTreeHead", "TransparencyLog/LogKey",
            "TransparencyLog/LogView",
        "Nix/Fingerprint", "Nix/SExpression", "Nix/GuixPublicKey", "Nix/GuixScheme", "Nix/GuixSignature", "Nix/GuixFields", "Nix/GuixLines",
            "Nix/TraceKey", "Nix/BuildTrace", "Consensus/TraceClaim", "Consensus/TraceSeal",
        "Consensus/OutputClaim", "Consensus/LogEvidence", "Consensus/Policy", "Consensus/Rule", "Consensus/RecordSeal",
            "Consensus/DecisionSeal",
        "Consensus/CountedBallots", "Consensus/NameChoice", "Consensus/ProofFile", "Consensus/WitnessedVotes",
        "TransparencyLog/Notes/NoteText", "TransparencyLog/Notes/NoteSignature", "TransparencyLog/Notes/SignedNote",
            "TransparencyLog/Notes/VerifierKey", "TransparencyLog/Notes/Checkpoint", "TransparencyLog/Notes/CheckpointVerdict",
            "TransparencyLog/Notes/Cosignature", "TransparencyLog/Notes/WitnessGroup", "TransparencyLog/Notes/WitnessPolicy",
            "TransparencyLog/Notes/WitnessDemand", "TransparencyLog/Notes/TlogProof", "TransparencyLog/Notes/SigsumProof",
            "TransparencyLog/Notes/SigsumKey",
        "Consensus/Judgement", "Apt/OlpcJson", "Apt/RebuilderKey", "Apt/RebuildLink", "Apt/DebClaim", "Apt/AskedDeb", "Apt/DebVerdict",
            "Apt/DebSeal",
    }.Select(file => Path.Combine(Repository.Root, $"src/TrustixProxy.{file}.cs"));

    private static string Project(string room) => room is "TrustixProxy" ? room : $"TrustixProxy.{room}";

    private static string Room(string project) => project is "TrustixProxy" ? project : project["TrustixProxy.".Length..];

    /// <summary>A comment may speak of <c>Process</c> where it names no member of it.</summary>
    [GeneratedRegex(@"ProcessStartInfo|\bProcess\.Start\b|new Process\b|\bProcess\s+\w+\s*=\s*new\b|execve|posix_spawn")]
    private static partial Regex StartsPrograms { get; }

    [GeneratedRegex(@"\basync\b|\bawait\b")]
    private static partial Regex Async { get; }

    [GeneratedRegex(@"using (System\.(IO|Net|Threading)|Microsoft\.)"
        + @"|\b(File|Directory|Stream|Environment|Console|Process|HttpClient|Socket|Sqlite\w*)\."
        + @"|DateTime(Offset)?\.(UtcNow|Now)|TimeProvider|Stopwatch|\bRandom\b|RandomNumberGenerator")]
    private static partial Regex InputOrOutput { get; }

    /// <summary>No interface of ours has one implementation, since there is none.</summary>
    [GeneratedRegex(@"\binterface I[A-Z]")]
    private static partial Regex Interface { get; }

    /// <summary>A checked cast of a field of Wire/*.proto.</summary>
    [GeneratedRegex(@"\((long|int)\)[\w.!\[\]]*"
        + @"(\.(TreeSize|MHTreeSize|FirstSize|SecondSize|Start|Finish|NumSideNodes|SeenAt)|(request|conflict)\.Index)\b")]
    private static partial Regex CastOfForeignNumber { get; }

    /// <summary>A row of the table of the trust core.</summary>
    [GeneratedRegex(@"^\| `((?:TransparencyLog|Nix|Consensus|Apt)/[\w/]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Listed { get; }

    [GeneratedRegex(@"^([A-Z]\w+) +──▶ +([\w, ]+)$", RegexOptions.Multiline)]
    private static partial Regex Arrow { get; }
}
