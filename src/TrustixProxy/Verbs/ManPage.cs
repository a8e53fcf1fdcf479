using System.CommandLine;
using System.Reflection;
using System.Text;

namespace TrustixProxy.Verbs;

/// <summary>The man page, made of the verbs and their examples.</summary>
/// <remarks>Source: groff_man(7), with what mandoc knows of it, too.</remarks>
internal static class ManPage
{
    /// <summary>Where man looks for it.</summary>
    public const string Path = "/usr/local/share/man/man1/trustix-proxy.1";

    /// <summary>The page in roff.</summary>
    /// <param name="root">All verbs.</param>
    public static string Of(RootCommand root)
    {
        var version = typeof(ManPage).Assembly
            .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0];
        var text = new StringBuilder($".TH TRUSTIX-PROXY 1 \"\" \"trustix-proxy {version}\" \"User Commands\"\n"
            + ".SH NAME\ntrustix-proxy \\- a binary cache that serves only what several independent builders agree on\n"
            + ".SH SYNOPSIS\n.B trustix-proxy\n.I VERB\n.RI [ options ]\n.SH DESCRIPTION\n");
        Line(text, root.Description!);
        text.Append(".SH VERBS\n");
        foreach (var (name, verb) in ShellCompletions.Verbs(root).Where(item => item.Name.Length > 0))
        {
            Verb(text, name, verb);
        }

        text.Append(".SH EXIT STATUS\n");
        foreach (var (code, meaning) in new[] { ("0", "Good."), ("1", "The answer is no."),
            ("2", "The command line or the configuration is at fault."), ("3", "It could not be found out.") })
        {
            text.Append($".TP\n.B {code}\n{meaning}\n");
        }

        text.Append(".SH ENVIRONMENT\n.TP\n.B TRUSTIXPROXY__KEY\n");
        Line(text, "Overrides a key of the configuration, with __ between levels and numbers for members of lists.");
        text.Append(".TP\n.B TRUSTIXPROXY_LOG_FORMAT\n");
        Line(text, "json makes each message a JSON object.");
        text.Append(".SH FILES\n.TP\n.I /etc/trustix-proxy/trustix-proxy.json\n");
        Line(text, "The configuration that init writes as root; trustix-proxy check-config --keys prints all keys.");
        text.Append(".TP\n.I /var/lib/trustix-proxy\n");
        Line(text, "State and evidence.");
        return text.ToString();
    }

    private static void Verb(StringBuilder text, string name, Command verb)
    {
        text.Append($".SS \"trustix-proxy {Escaped(name)}{string.Concat(verb.Arguments.Select(argument =>
            $" {Escaped(argument.HelpName ?? argument.Name)}"))}\"\n");
        Line(text, verb.Description!);
        foreach (var argument in verb.Arguments.Where(argument => argument.Description is not null))
        {
            text.Append($".TP\n.I {Escaped(argument.HelpName ?? argument.Name)}\n");
            Line(text, argument.Description!);
        }

        foreach (var option in ShellCompletions.Options(verb))
        {
            var value = ShellCompletions.TakesValue(option) ? $" {Escaped(option.HelpName ?? "VALUE")}" : "";
            text.Append($".TP\n.B {Escaped($"{option.Name}{string.Concat(option.Aliases.Select(alias => $", {alias}"))}")}{value}\n");
            Line(text, option.Description ?? "");
        }

        text.Append(".PP\nExamples:\n.PP\n.nf\n");
        foreach (var example in HelpExamples.Of(name))
        {
            Line(text, $"  {example}", keepsLines: true);
        }

        text.Append(".fi\n");
    }

    /// <summary>Writes a text as one paragraph, or as it stands.</summary>
    private static void Line(StringBuilder text, string line, bool keepsLines = false)
    {
        foreach (var part in line.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var escaped = Escaped(part);
            text.Append(escaped[0] is '.' or '\'' ? $"\\&{escaped}" : escaped).Append('\n')
                .Append(keepsLines || part == line ? "" : ".br\n");
        }
    }

    private static string Escaped(string text) => text.Replace("\\", "\\e", StringComparison.Ordinal)
        .Replace("-", "\\-", StringComparison.Ordinal).Replace("\"", "\\(dq", StringComparison.Ordinal)
        .Replace("…", "...", StringComparison.Ordinal).Replace("’", "'", StringComparison.Ordinal);
}
