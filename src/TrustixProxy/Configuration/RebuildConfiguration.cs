using System.Collections.Immutable;
using System.Runtime.InteropServices;
using TrustixProxy.Publisher;
using TrustixProxy.Rebuilder.Builds;

namespace TrustixProxy.Configuration;

/// <summary>The configuration of <c>rebuild</c>.</summary>
internal static class RebuildConfiguration
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1), Week = TimeSpan.FromDays(7);

    /// <param name="isCheck">Whether it is only looked at: then no directory is made.</param>
    /// <param name="store">The store that the command line names; null to read the key.</param>
    public static RebuilderOptions Read(Section section, bool isCheck, string? store = null)
    {
        ProxyKeys.OfEnvironment(section); // work lists are fetched through it
        var own = section.Object("rebuilder");
        var tokenFile = own.Text("wantedTokenFile");
        var configured = own.Text("store");
        var folder = Path.GetFullPath(store ?? configured ?? CommonKeys.DefaultStateDirectory("trustix-rebuilder"));
        if (store is null)
        {
            CommonKeys.WritableDirectory(own, "store", folder, isCheck);
        }

        return new RebuilderOptions
        {
            Name = own.Name("name", HostName.Own, "builder-1"),
            Store = folder,
            SpoolDirectory = CommonKeys.WritableDirectory(own, "spoolDirectory", Spool.DefaultDirectory, isCheck),
            Wanted = Wanted(own),
            WantedToken = tokenFile is null ? null : KeyFile.ReadSecret(own, "wantedTokenFile", tokenFile),
            Expressions = [.. own.Texts("expressions")],
            Inputs = own.Choice("inputs", InputSource.Proxy),
            Substituter = Substituter(own),
            PublicKeys = [.. CommonKeys.PublicKeys(own, "publicKeys")],
            Jobs = Jobs(own),
            Time = own.Time("time", TimeSpan.FromHours(2), Second, Week),
            Disk = own.Size("disk", "20GiB"),
            TotalDisk = own.Size("totalDisk", "100GiB"),
            Retries = own.Integer("retries", 2, 0, 100),
            Backoff = own.Time("backoff", TimeSpan.FromMinutes(15), TimeSpan.Zero, Week),
            Interval = own.Time("interval", TimeSpan.FromMinutes(1), Second, Week),
            Filter = new NameFilter([.. CommonKeys.Globs(own, "include")], [.. CommonKeys.Globs(own, "exclude")]),
            Systems = [.. own.Texts("systems", ThisSystem)],
        };
    }

    /// <summary>This machine's system, in Nix's words.</summary>
    private static string ThisSystem => RuntimeInformation.OSArchitecture switch
    {
        Architecture.X64 => "x86_64-linux",
        Architecture.Arm64 => "aarch64-linux",
        var other => $"{other.ToString().ToLowerInvariant()}-linux",
    };

    /// <summary>Without build users, builders own the inputs that builds share: one at a time, and each finds them hashed again.</summary>
    private static int Jobs(Section own)
    {
        var jobs = own.Integer("jobs", 1, 1, 1000);
        if (jobs > 1 && !Environment.IsPrivilegedProcess)
        {
            own.Fault("jobs", $"is {jobs}, but builders of an ordinary user can change each other's inputs: set it to 1, or run as root "
                + "with the group nixbld.");
        }

        return jobs;
    }

    private static ImmutableArray<Uri> Wanted(Section own)
    {
        var urls = ImmutableArray.CreateBuilder<Uri>();
        foreach (var text in own.Texts("wanted"))
        {
            if (ServiceUrl.FaultOf(text, UrlForms.Web, out var url, out _) is { } fault)
            {
                own.Fault("wanted", fault.Replace("is '", "has '", StringComparison.Ordinal));
            }
            else
            {
                urls.Add(url!);
            }
        }

        return urls.ToImmutable();
    }

    private static Uri Substituter(Section own)
    {
        var text = own.Text("substituter", "http://127.0.0.1:8080")!;
        if (ServiceUrl.FaultOf(text, UrlForms.Folder, out var url, out _) is { } fault)
        {
            own.Fault("substituter", fault);
        }

        return url ?? new Uri("http://invalid.invalid");
    }
}
