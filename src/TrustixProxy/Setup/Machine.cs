using System.Text;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Programs;
using TrustixProxy.Nix;

namespace TrustixProxy.Setup;

/// <summary>What <c>init</c> and <c>install</c> find on a machine.</summary>
internal sealed record Machine
{
    private const int MaxFile = 1 << 20;

    /// <summary>The system's name for people, such as <c>Debian GNU/Linux 13 (trixie)</c>; null when it does not say.</summary>
    public string? System { get; init; }

    /// <summary>Whether its configuration makes the units and <c>nix.conf</c>.</summary>
    public bool IsNixOS { get; init; }

    /// <summary>Whether systemd runs it.</summary>
    public bool HasSystemd { get; init; }

    public bool HasNix { get; init; }

    public bool HasGuix { get; init; }

    /// <summary>What its Nix is told; null where it does not answer.</summary>
    public NixSettings? Nix { get; init; }

    /// <summary>The keys that its Guix believes; null where it has no such list.</summary>
    public IReadOnlyList<string>? GuixKeys { get; init; }

    /// <summary>What fits it, when nobody has said more.</summary>
    public Preset Proposal => HasGuix && !HasNix ? Preset.Farms : Preset.Watch;

    /// <summary>Looks at a machine. Contacts nobody, and waits for no program for long.</summary>
    /// <param name="root">Where its file system begins.</param>
    public static async Task<Machine> LookAsync(string root, CancellationToken cancellation)
    {
        var release = ReadText(Path.Combine(root, "etc/os-release")) ?? ReadText(Path.Combine(root, "usr/lib/os-release")) ?? "";
        var hasNix = IsThere(root, "nix/store") || Has("nix-store");
        return new Machine
        {
            System = Value(release, "PRETTY_NAME"),
            IsNixOS = IsThere(root, "etc/NIXOS") || Value(release, "ID") is "nixos",
            HasSystemd = IsThere(root, "run/systemd/system"),
            HasNix = hasNix,
            HasGuix = IsThere(root, "gnu/store") || Has("guix-daemon"),
            Nix = hasNix ? await NixSettings.AskAsync(cancellation) : null,
            GuixKeys = ReadText(Path.Combine(root, "etc/guix/acl")) is { } acl && GuixAcl.TryParse(acl, out var keys, out _) ? keys : null,
        };
    }

    /// <summary>What was found, and what is proposed for it, a sentence a line.</summary>
    public IEnumerable<string> Sentences()
    {
        yield return $"found {System ?? "a system without a name"}{(IsNixOS || System is null ? "" : ", not NixOS")}, "
            + $"{(HasNix, HasGuix) switch
            {
                (true, true) => "with Nix and Guix",
                (true, false) => "with Nix",
                (false, true) => "with Guix",
                _ => "without Nix and Guix: what is written can serve other machines",
            }}; systemd {(HasSystemd ? "runs" : "does not run")}";
        if (Nix is { } nix)
        {
            yield return $"Nix asks {Listed(nix.Substituters)}, and believes {Listed(nix.TrustedKeys.Select(key => key.Split(':')[0]))}";
            if (nix.TrustedUsers.Count > 0)
            {
                yield return $"trusted-users has {Listed(nix.TrustedUsers)}, who may name other substituters and keys: leave root alone "
                    + "there, or they can bypass the vote";
            }

            if (!nix.RequiresSignatures)
            {
                yield return "require-sigs is false, so Nix believes any binary: set it to true";
            }
        }
        else if (HasNix)
        {
            yield return "Nix does not say what it asks and believes: `nix config show` fails or hangs; try it by hand";
        }

        if (GuixKeys is { } keys)
        {
            yield return $"Guix believes {Listed(keys.Select(NameOf))} (/etc/guix/acl)";
        }

        var why = Proposal is Preset.Farms ? "both official build farms must agree" : "the cache's signature as ever, and a veto for logs";
        yield return $"proposed: --preset {Kebab.Of(Proposal)} ({why}; it needs nobody else)";
    }

    private static string NameOf(string key) => Voter.Farms.FirstOrDefault(farm => farm.Key == key)?.Name ?? key;

    private static string Listed(IEnumerable<string> texts) =>
        texts.ToList() is { Count: > 0 } all ? string.Join(", ", all) : "nobody";

    private static bool Has(string program) => ProgramStart.Find(program, Environment.GetEnvironmentVariable("PATH")) is not null;

    private static bool IsThere(string root, string path) => Path.Exists(Path.Combine(root, path));

    private static string? Value(string release, string name) => release.Split('\n')
        .Where(line => line.StartsWith($"{name}=", StringComparison.Ordinal))
        .Select(line => line[(name.Length + 1)..].Trim().Trim('"', '\'')).FirstOrDefault(value => value.Length > 0);

    private static string? ReadText(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            var buffer = new byte[MaxFile];
            return Encoding.UTF8.GetString(buffer, 0, file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
