using System.CommandLine;
using System.CommandLine.Parsing;
using TrustixProxy.Native;
using TrustixProxy.Terminal;
using TrustixProxy.Verbs.Apt;
using TrustixProxy.Verbs.Inspect;
using TrustixProxy.Verbs.Manage;
using TrustixProxy.Verbs.Node;
using TrustixProxy.Verbs.Serve;

namespace TrustixProxy.Verbs;

/// <summary>All verbs, and what the process ends with.</summary>
internal static class CommandLine
{
    /// <summary>Longer than any host takes to end by itself.</summary>
    private static readonly TimeSpan TerminationTimeout = TimeSpan.FromSeconds(40);

    public static RootCommand Create()
    {
        var root = new RootCommand("Serves Nix binary caches only where several independent build-transparency logs agree on what a "
            + "build produced.")
        {
            ServeVerb.Create(),
            LogVerbs.Create(),
            HookVerb.Create(),
            PublishVerb.Create(),
            RebuildVerb.Create(),
            InitVerb.Create(),
            KeygenVerb.Create(),
            CheckConfigVerb.Create(),
            ExplainVerb.Create(),
            WhyVerb.Create(),
            DoctorVerb.Create(),
            WantedVerb.Create(),
            GateVerb.Create(),
            DiffVerb.Create(),
            VerifyVerb.Create(),
            PolicyVerb.Create(),
            LogsVerb.Create(),
            RevokeVerb.Create(),
            AuditVerb.Create(),
            AuditCacheVerb.Create(),
            NarStoreVerb.Create(),
            DemoVerb.Create(),
            AptVerbs.Create(),
            InstallVerb.Create(() => PageVerbs.All(Create())),
            InstallVerb.CreateUninstall(() => PageVerbs.All(Create())),
            PageVerbs.CreateCompletions(Create),
            PageVerbs.CreateMan(Create),
        };
        HelpExamples.Add(root);
        return root;
    }

    /// <summary>Runs what the arguments say.</summary>
    /// <returns>The exit code: of a hook always 0; of a command line with faults 2, unless it asks for help.</returns>
    public static async Task<int> RunAsync(string[] arguments)
    {
        var parsed = Create().Parse(arguments);
        var isHook = parsed.CommandResult.Command.Name is HookVerb.Name;
        var isHelp = parsed.Action is HelpExamples && parsed.UnmatchedTokens.Count is 0;
        if (!isHook && !isHelp && UnknownOption(parsed, arguments) is { } unknown)
        {
            await Console.Error.WriteLineAsync(
                $"'{unknown}' is not an option of this verb; --help lists them. Write -- before a name that starts with a dash.");
            return ExitCode.Usage;
        }

        if (!isHook && !isHelp && Sodium.Fault() is { } fault)
        {
            await Console.Error.WriteLineAsync(fault);
            return ExitCode.Unknown;
        }

        var code = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TerminationTimeout });
        return isHook ? ExitCode.Good : parsed.Errors.Count > 0 && !isHelp ? ExitCode.Usage : code;
    }

    /// <summary>What looks like an option and would be taken for a name; null when nothing does, or when <c>--</c> says that names
    /// follow.</summary>
    private static string? UnknownOption(ParseResult parsed, string[] arguments) => arguments.Contains("--") ? null
        : parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(argument => argument.Tokens)
            .Select(token => token.Value).FirstOrDefault(text => text.Length > 2 && text.StartsWith("--", StringComparison.Ordinal));
}
