using System.IO.Pipelines;
using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>Queries the machine's Guix store: the daemon's database, its build logs, and the store itself.</summary>
/// <param name="state">Guix's state directory; build logs are in <c>../log/guix</c>.</param>
/// <remarks>The database does not say what was built here; <see cref="GuixBuildLog"/> does.</remarks>
public sealed class GuixStore(string state)
{
    /// <summary>Default of Guix's state directory.</summary>
    public const string DefaultState = "/var/guix";

    /// <summary>The store of this machine's daemon.</summary>
    public static GuixStore OfMachine { get; } = new(DefaultState);

    /// <summary>The state directory.</summary>
    public string State => state;

    /// <summary>Why the database cannot be read; null when it can.</summary>
    public string? Fault
    {
        get
        {
            try
            {
                using var database = GuixDatabase.Open(state);
                database.LastId();
                return null;
            }
            catch (NixException exception)
            {
                return exception.Message;
            }
        }
    }

    /// <summary>Describes these paths, all of which must be valid.</summary>
    /// <exception cref="NixException">The database cannot be read, or a path is not valid.</exception>
    public IReadOnlyList<DescribedOutput> Describe(IEnumerable<StorePath> paths)
    {
        using var database = GuixDatabase.Open(state);
        return [.. paths.Distinct().Select(path => Describe(database, Valid(database, path)))];
    }

    /// <summary>Returns the closure of a path, references before their referrers.</summary>
    /// <exception cref="NixException">The database cannot be read, or the path is not valid.</exception>
    public IReadOnlyList<StorePath> Closure(StorePath path)
    {
        using var database = GuixDatabase.Open(state);
        var (closure, seen) = (new List<StorePath>(), new HashSet<StorePath>());
        var open = new Stack<(StorePath Path, bool IsDone)>([(path, false)]);
        while (open.TryPop(out var next))
        {
            if (next.IsDone)
            {
                closure.Add(next.Path);
            }
            else if (seen.Add(next.Path))
            {
                open.Push((next.Path, true));
                foreach (var reference in database.References(Valid(database, next.Path).Id).Where(reference => !seen.Contains(reference)))
                {
                    open.Push((reference, false));
                }
            }
        }

        return closure;
    }

    /// <summary>Returns the valid paths: those that are registered.</summary>
    /// <exception cref="NixException">The database cannot be read.</exception>
    public IReadOnlyList<StorePath> Valid(IEnumerable<StorePath> paths)
    {
        using var database = GuixDatabase.Open(state);
        return [.. paths.Where(path => database.Find(path) is not null)];
    }

    /// <summary>Dumps a path as a NAR, as it is in the store now. Reading ends with <see cref="IOException"/> when the store cannot be
    /// read.</summary>
    public static Stream Dump(StorePath path)
    {
        var pipe = new Pipe();
        _ = Task.Run(() =>
        {
            try
            {
                using (var stream = pipe.Writer.AsStream(leaveOpen: true))
                {
                    NarTree.Write(path.Absolute, stream);
                }

                pipe.Writer.Complete();
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or InvalidOperationException)
            {
                pipe.Writer.Complete(new IOException($"{path.Absolute} cannot be read: {exception.Message}", exception));
            }
        });
        return pipe.Reader.AsStream();
    }

    /// <summary>Describes a row of an open database.</summary>
    internal DescribedOutput Describe(GuixDatabase database, GuixPath row) => new(
        new BuildStatement(row.Path, row.NarHash, row.NarSize, database.References(row.Id)),
        GuixBuildLog.Of(row, state)?.Explains(row) is true, row.RegisteredAt);

    private static GuixPath Valid(GuixDatabase database, StorePath path) => database.Find(path)
        ?? throw new NixException($"'{path.Absolute}' is not a valid path of this machine's store");
}
