using System.CommandLine;
using TrustixProxy.Configuration;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Serve;

/// <summary><c>trustix-proxy check-config</c>: shows all faults of a configuration, and what it means.</summary>
internal static class CheckConfigVerb
{
    public static Command Create()
    {
        var keys = new Option<bool>(
            "--keys")
        { Description = "Print all keys of the five configurations, with type, default, range and meaning." };
        var explain = new Option<bool>(
            "--explain")
        { Description = "Say in sentences what a configuration of serve lets through, and when." };
        var command = new Command("check-config", "Checks a configuration of serve, log serve, publish, rebuild or apt serve and shows all "
            + "faults and warnings. Starts nothing.") { SharedOptions.Config, keys, explain };
        command.SetAction(parsed => parsed.GetValue(keys) ? PrintKeys()
            : Run(parsed.GetValue(SharedOptions.Config), parsed.GetValue(explain)));
        return command;
    }

    private static int PrintKeys()
    {
        Console.Write(ConfigurationKeys.ToMarkdown());
        return ExitCode.Good;
    }

    private static int Run(string? config, bool explains)
    {
        Func<string?, int>? other = ConfigurationFile.IsOfLogNode(config) ? CheckLogNode
            : ConfigurationFile.IsOfPublisher(config) ? CheckPublisher : ConfigurationFile.IsOfRebuilder(config) ? CheckRebuilder
            : ConfigurationFile.IsOfAptGate(config) ? CheckAptGate : null;
        if (explains && other is not null)
        {
            Console.Error.WriteLine($"--explain: reads the policy of serve aloud, and '{config}' is of another verb.");
            return ExitCode.Usage;
        }

        return other is null ? CheckProxy(config, explains) : other(config);
    }

    private static int CheckAptGate(string? config)
    {
        var (read, faults) = ConfigurationFile.Read(config, section => AptConfiguration.Read(section, isCheck: true));
        if (read is null)
        {
            return ExitCode.Refuse(faults);
        }

        foreach (var warning in read.Warnings())
        {
            Console.Error.WriteLine($"warning: {warning}");
        }

        var (policy, archives) = (read.Options.Policy, read.Options.Archives.Select(archive => archive.Name));
        Console.WriteLine($"valid for apt serve: {policy.Rest.Rule} operators must agree, archives {string.Join(", ", archives)}.");
        foreach (var exception in policy.Exceptions)
        {
            Console.WriteLine($"exception: {exception}");
        }

        return ExitCode.Good;
    }

    private static int CheckRebuilder(string? config)
    {
        var (options, faults) = ConfigurationFile.Read(config, section => RebuildConfiguration.Read(section, isCheck: true));
        if (options is null)
        {
            return ExitCode.Refuse(faults);
        }

        Console.WriteLine($"valid for rebuild: in {options.Store}, results to {options.SpoolDirectory}.");
        return ExitCode.Good;
    }

    private static int CheckPublisher(string? config)
    {
        var (options, faults) = ConfigurationFile.Read(config, section => PublishConfiguration.Read(section, isCheck: true));
        if (options is null)
        {
            return ExitCode.Refuse(faults);
        }

        Console.WriteLine($"valid for publish: from {options.SpoolDirectory} to {options.Url}.");
        return ExitCode.Good;
    }

    private static int CheckProxy(string? config, bool explains)
    {
        var (read, faults) = ConfigurationFile.Read(config, section => ServeConfiguration.Read(section, isCheck: true));
        if (read is null)
        {
            return ExitCode.Refuse(faults);
        }

        foreach (var warning in read.Warnings())
        {
            Console.Error.WriteLine($"warning: {warning}");
        }

        var policy = read.Options.Policy;
        if (explains)
        {
            foreach (var sentence in PolicySentences.Of(read.Options, TimeProvider.System.GetUtcNow()))
            {
                Console.WriteLine(sentence);
            }

            return ExitCode.Good;
        }

        Console.WriteLine($"valid for serve: {policy.Rest.Rule} operators must agree, {read.Options.Upstreams.Length} upstreams.");
        foreach (var exception in policy.Exceptions)
        {
            Console.WriteLine($"exception: {exception}");
        }

        return ExitCode.Good;
    }

    private static int CheckLogNode(string? config)
    {
        var (options, faults) = ConfigurationFile.Read(config, section => LogServeConfiguration.Read(section, isCheck: true));
        if (options is null)
        {
            return ExitCode.Refuse(faults);
        }

        foreach (var warning in options.Logs.SelectMany(CosigningConfiguration.Warnings))
        {
            Console.Error.WriteLine($"warning: {warning}");
        }

        Console.WriteLine($"valid for log serve: {string.Join(", ", options.Logs.Select(log => log.Name))}.");
        foreach (var line in WitnessMail.Lines(options))
        {
            Console.WriteLine(line);
        }

        return ExitCode.Good;
    }
}
