using System.CommandLine;
using System.Text.Json;
using TrustixProxy.AptGate.Hosting;
using TrustixProxy.AptGate.Inspection;
using TrustixProxy.Configuration;
using TrustixProxy.Consensus;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Apt;

/// <summary><c>trustix-proxy apt doctor</c>: finds what goes past the gate, and what is wrong with rebuilders.</summary>
internal static class AptDoctorVerb
{
    private static readonly Option<string> Root = new("--root")
    {
        Description = "Root folder of the system whose etc/apt is looked at.",
        HelpName = "DIR",
        DefaultValueFactory = _ => "/",
    };

    private static readonly Option<string[]> Gates = new("--gate")
    {
        Description = "Address of the gate as that system's apt knows it; may be repeated. Without it, the addresses in listen.",
        HelpName = "URL",
    };

    public static Command Create()
    {
        var command = new Command("doctor", "Names sources of packages that bypass the gate, and rebuilders that are away or show another "
            + "key.") { Root, Gates, SharedOptions.Config, SharedOptions.Json };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var (read, faults) = ConfigurationFile.Read(
            parsed.GetValue(SharedOptions.Config), section => AptConfiguration.Read(section, isCheck: true));
        if (read is null)
        {
            return ExitCode.Refuse(faults);
        }

        if (GatesOf(read.Options, parsed.GetValue(Gates) ?? []) is not { } gates)
        {
            return ExitCode.Usage;
        }

        IReadOnlyList<AptSource> sources;
        try
        {
            sources = AptSources.Read(parsed.GetValue(Root)!);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"--root: '{parsed.GetValue(Root)}' cannot be read: {exception.Message}");
            return ExitCode.Unknown;
        }

        var doctor = new GateDoctor(read.Options);
        List<GateFinding> findings = [.. doctor.OfSources(sources, gates), .. await doctor.OfPeersAsync(TimeProvider.System, cancellation)];
        if (parsed.GetValue(SharedOptions.Json))
        {
            Console.WriteLine(JsonSerializer.Serialize(
                [.. findings.Select(finding => new FoundInGate(Kebab.Of(finding.Kind), finding.About, finding.Text))],
                AptJson.Indented.FoundInGateArray));
        }
        else
        {
            findings.ForEach(finding => Console.WriteLine($"{Kebab.Of(finding.Kind),-7} {finding.About}: {finding.Text}"));
        }

        return findings.Exists(finding => finding.Kind is GateFindingKind.Bad) ? ExitCode.No
            : findings.Exists(finding => finding.Kind is GateFindingKind.Unknown) ? ExitCode.Unknown : ExitCode.Good;
    }

    /// <summary>The addresses of the gate; null, with the fault told, when one cannot be read.</summary>
    private static List<Uri>? GatesOf(AptGateOptions options, string[] given)
    {
        var gates = new List<Uri>();
        foreach (var text in given.Length > 0 ? given : [.. options.Listen])
        {
            if (Uri.TryCreate(text, UriKind.Absolute, out var gate) && gate.Scheme is "http" or "https")
            {
                gates.Add(gate);
            }
            else if (given.Length > 0)
            {
                Console.Error.WriteLine($"--gate: is '{text}'; it must be an address with http:// or https://.");
                return null;
            }
        }

        return gates;
    }
}
