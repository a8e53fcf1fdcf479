using System.Security.Cryptography;
using Microsoft.Data.Sqlite;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Benchmarks;

/// <summary>A state directory with a signing key and many decisions, as a proxy that has been in use has them: agreements of three
/// logs.</summary>
internal sealed class SeededState : IDisposable
{
    public const string Upstream = "bench";

    private static readonly DateTimeOffset DecidedAt = TimeProvider.System.GetUtcNow();

    private readonly NixSecretKey _key = NixSecretKey.Generate("bench-1");
    private readonly Policy _policy;

    public SeededState()
    {
        Logs =
            [.. new[] { "alice", "bob", "carol" }
                .Select(name => new Elector.Log(name, name, new LogSigner(NixSecretKey.Generate(name).Key).Key))];
        _policy = new Policy(Logs);
        var file = Path.Combine(Directory, "signing.key");
        File.WriteAllText(file, _key.Export());
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("trustix-bench-").FullName;

    public IReadOnlyList<Elector.Log> Logs { get; }

    /// <summary>Path <paramref name="i"/> of those that are decided on.</summary>
    public static StorePath PathOf(int i) =>
        StorePath.TryParse($"{Nix32.Encode(SHA256.HashData(BitConverter.GetBytes(i)).AsSpan(0, 20))}-package-{i}", out var path, out _)
            ? path : throw new InvalidOperationException();

    /// <summary>Has so many paths decided on.</summary>
    public void Decide(int count) => Keep(Enumerable.Range(0, count).Select(i => (
        new OutputClaim(PathOf(i), new NarHash(HashOf(i)), 100_000 + i, [PathOf(i), PathOf(i + 1), PathOf(i + 2), PathOf(i + 3)]),
        new NarHints("xz", HashOf(~i), 30_000 + i, PathOf(-i - 1), null, [], Upstream))));

    /// <summary>Has the claims decided on.</summary>
    public void Keep(IEnumerable<(OutputClaim Claim, NarHints Hints)> claims)
    {
        using (var state = new StateDatabase(Directory, isDurable: false))
        {
            _ = new DecisionStore(state); // makes the tables
        }

        using var database = new SqliteConnection($"Data Source={Path.Combine(Directory, "state.sqlite")};Pooling=False");
        database.Open();
        using var transaction = database.BeginTransaction();
        using var insert = database.CreateCommand();
        insert.CommandText = "INSERT INTO decision (digest, record, expires_at) VALUES ($digest, $record, $expires)";
        var (digest, record, expires) = (insert.Parameters.Add("$digest", SqliteType.Text),
            insert.Parameters.Add("$record", SqliteType.Blob), insert.Parameters.Add("$expires", SqliteType.Integer));
        var seal = new DecisionSeal(new RecordSeal(_key, []), _policy);
        var sealedRecords = claims.AsParallel().AsOrdered().Select(item => (item.Claim.Path.Digest, Record: RecordOf(
            item.Claim, item.Hints))).Select(item => (item.Digest, item.Record.ExpiresAt, Bytes: seal.Seal(item.Digest, item.Record)));
        foreach (var (of, until, bytes) in sealedRecords)
        {
            (digest.Value, record.Value, expires.Value) = (of.ToString(), bytes, until.ToUnixTimeMilliseconds());
            insert.ExecuteNonQuery();
        }

        transaction.Commit();
    }

    /// <summary>Has files forgotten that were found to hold a NAR.</summary>
    public void ForgetFiles()
    {
        using var database = new SqliteConnection($"Data Source={Path.Combine(Directory, "state.sqlite")};Pooling=False");
        database.Open();
        using var forget = database.CreateCommand();
        forget.CommandText = "DROP TABLE IF EXISTS nar_file";
        forget.ExecuteNonQuery();
    }

    public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);

    private DecisionRecord RecordOf(OutputClaim claim, NarHints hints)
    {
        var ballots = Logs.ToDictionary(
            log => log.Name, Ballot (log) => new Ballot.Claimed(claim, new VoteProof.ByLog(1234, 5678, IsTied: true)));
        return DecisionRecord.Of(_policy.Decide(claim.Path, ballots), hints, DecidedAt);
    }

    private static NixHash HashOf(int i) => NixHash.Sha256(SHA256.HashData(BitConverter.GetBytes(i)));
}
