using System.CommandLine;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Inspect;

/// <summary>The paths that a verb is asked to check.</summary>
/// <param name="Named">Paths named on the command line.</param>
/// <param name="Listed">Paths listed on standard input.</param>
/// <param name="All">All of them, and what is installed of the closures of those named.</param>
internal sealed record Patients(IReadOnlyList<StorePath> Named, IReadOnlyList<StorePath> Listed, IReadOnlyList<Patient> All)
{
    private const string System = "/run/current-system", StandardInput = "-";

    /// <summary>Returns the argument for them.</summary>
    /// <param name="description">What becomes of the paths.</param>
    public static Argument<string[]> Argument(string description) => new("path")
    {
        Description = description,
        Arity = ArgumentArity.ZeroOrMore,
        DefaultValueFactory = _ => [System],
        HelpName = "PATH",
    };

    /// <summary>Reads what was typed and what standard input lists, and asks this machine's Nix what of it is installed.</summary>
    /// <param name="store">The store that all paths must be in.</param>
    /// <exception cref="FormatException">A text is not a path in this store.</exception>
    /// <exception cref="NixException">Nix reports an error.</exception>
    public static async Task<Patients> ReadAsync(string[] texts, Store store, CancellationToken cancellation)
    {
        var (paths, named, listed) = (new List<StorePath>(), new List<StorePath>(), new List<StorePath>());
        foreach (var text in texts.Where(text => text is not StandardInput))
        {
            var path = StorePathArgument.TryRead(text, out var found) ? PatientReader.InStore(found, store, "PATH is")
                : throw new FormatException($"PATH is '{text}', which is neither in {Store.Nix} or {Store.Guix}, nor a link to a "
                    + $"path there.");
            named.Add(path);
            paths.AddRange(await PatientReader.IsInstalledAsync(path, cancellation)
                ? await MachineStore.ClosureAsync(path, cancellation) : [path]);
        }

        if (texts.Contains(StandardInput))
        {
            listed.AddRange(await PatientReader.ReadLinesAsync(Console.In, "Standard input", store, cancellation));
        }

        var all = await PatientReader.DescribeAsync([.. paths.Concat(listed).Distinct()], cancellation);
        return new Patients([.. named.Distinct()], [.. listed.Distinct()], all);
    }
}
