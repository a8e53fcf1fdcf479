using Microsoft.Data.Sqlite;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Publisher.Tests;

/// <summary>The database and build logs that Guix's daemon leaves, made by hand.</summary>
internal sealed class GuixMachine : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("trustix-guix-").FullName;
    private readonly SqliteConnection _database;

    public GuixMachine()
    {
        Directory.CreateDirectory(Path.Combine(State, "db"));
        _database = new SqliteConnection($"Data Source={Path.Combine(State, "db", "db.sqlite")};Pooling=False");
        _database.Open();
        Run("""
            PRAGMA journal_mode = WAL;
            CREATE TABLE ValidPaths (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT UNIQUE NOT NULL, hash TEXT NOT NULL,
                registrationTime INTEGER NOT NULL, deriver TEXT, narSize INTEGER);
            CREATE TABLE Refs (referrer INTEGER NOT NULL, reference INTEGER NOT NULL, PRIMARY KEY (referrer, reference));
            """);
        Store = new GuixStore(State);
    }

    public string State => Path.Combine(_directory, "guix");

    public GuixStore Store { get; }

    /// <summary>The derivation of the last build.</summary>
    public StorePath? Deriver { get; private set; }

    public static StorePath PathOf(string name) => TestOutput.PathOf(name).In(Nix.Store.Guix);

    /// <summary>Registers an output, as after a build or a substitution.</summary>
    /// <param name="at">When it becomes valid.</param>
    public BuildStatement Register(StorePath path, DateTimeOffset at, StorePath? deriver, long size = 1000, params StorePath[] references)
    {
        var statement = new BuildStatement(path, TestOutput.Make(path.Name).Statement.NarHash, size, [.. references.Order()]);
        Run("INSERT INTO ValidPaths (path, hash, registrationTime, deriver, narSize) VALUES ($1, $2, $3, $4, $5)", path.Absolute,
            $"sha256:{Convert.ToHexStringLower(statement.NarHash.Bytes)}", at.ToUnixTimeSeconds(), deriver?.Absolute, size);
        foreach (var reference in references)
        {
            Run("INSERT INTO Refs SELECT (SELECT id FROM ValidPaths WHERE path = $1), id FROM ValidPaths WHERE path = $2",
                path.Absolute, reference.Absolute);
        }

        return statement;
    }

    /// <summary>Writes the log of a build that ended at a time.</summary>
    public void Log(StorePath deriver, DateTimeOffset end, string suffix = ".gz")
    {
        var name = deriver.ToString();
        var folder = Directory.CreateDirectory(Path.Combine(_directory, "log", "guix", "drvs", name[..2]));
        var file = Path.Combine(folder.FullName, name[2..] + suffix);
        File.WriteAllText(file, "built\n");
        File.SetLastWriteTimeUtc(file, end.UtcDateTime);
    }

    /// <summary>Builds an output: the log ends, and the output is registered a moment later.</summary>
    public BuildStatement Build(string name, DateTimeOffset end, params StorePath[] references)
    {
        var deriver = PathOf($"{name}.drv");
        Log(deriver, end);
        Deriver = deriver;
        return Register(PathOf(name), end.AddMilliseconds(300), deriver, 1000, references);
    }

    public void Collect(StorePath path) => Run("DELETE FROM ValidPaths WHERE path = $1", path.Absolute);

    public void Run(string sql, params object?[] values)
    {
        using var command = _database.CreateCommand();
        command.CommandText = sql;
        for (var i = 0; i < values.Length; i++)
        {
            command.Parameters.AddWithValue($"${i + 1}", values[i] ?? DBNull.Value);
        }

        command.ExecuteNonQuery();
    }

    public void Dispose()
    {
        _database.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
