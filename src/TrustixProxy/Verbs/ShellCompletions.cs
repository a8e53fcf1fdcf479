using System.CommandLine;
using System.CommandLine.Help;
using System.Text;

namespace TrustixProxy.Verbs;

/// <summary>Scripts that complete verbs, options and files in a shell. They are made of the verbs themselves, and start no
/// program.</summary>
internal static class ShellCompletions
{
    /// <summary>The shells that are known.</summary>
    public static IReadOnlyList<string> Shells { get; } = ["bash", "zsh", "fish"];

    /// <summary>Where a shell looks for the script.</summary>
    public static string PathOf(string shell) => shell switch
    {
        "bash" => "/usr/local/share/bash-completion/completions/trustix-proxy",
        "zsh" => "/usr/local/share/zsh/site-functions/_trustix-proxy",
        _ => "/usr/local/share/fish/vendor_completions.d/trustix-proxy.fish",
    };

    /// <summary>The script for a shell.</summary>
    /// <param name="root">All verbs.</param>
    /// <param name="shell">One of <see cref="Shells"/>.</param>
    public static string For(RootCommand root, string shell) => shell switch
    {
        "bash" => Bash(root),
        "zsh" => Zsh(root),
        _ => Fish(root),
    };

    /// <summary>Every verb with the words that lead to it; the empty one first.</summary>
    public static IEnumerable<(string Name, Command Command)> Verbs(Command command, string name = "") =>
        command.Subcommands.Where(verb => !verb.Hidden)
            .SelectMany(verb => Verbs(verb, name.Length is 0 ? verb.Name : $"{name} {verb.Name}")).Prepend((name, command));

    /// <summary>The options of a verb, help aside.</summary>
    public static IEnumerable<Option> Options(Command command) =>
        command.Options.Where(option => option is not HelpOption and not VersionOption && !option.Hidden);

    /// <summary>Whether a word follows the option.</summary>
    public static bool TakesValue(Option option) => option.ValueType != typeof(bool);

    /// <summary>The first sentence of a description, for one line.</summary>
    public static string Brief(string? text)
    {
        var line = (text ?? "").Split('\n')[0];
        var end = line.IndexOf(". ", StringComparison.Ordinal);
        return (end < 0 ? line : line[..end]).TrimEnd('.');
    }

    private static string Bash(RootCommand root)
    {
        var text = new StringBuilder("# bash completion of trustix-proxy, by trustix-proxy completions bash\n_trustix_proxy() {\n"
            + "  local word=${COMP_WORDS[COMP_CWORD]} before= verb= i words=\n"
            + "  [ \"$COMP_CWORD\" -eq 0 ] || before=${COMP_WORDS[COMP_CWORD-1]}\n"
            + "  for ((i = 1; i < COMP_CWORD; i++)); do\n    case \"$verb ${COMP_WORDS[i]}\" in\n");
        foreach (var (name, _) in Verbs(root).Where(verb => verb.Name.Length > 0))
        {
            text.Append($"      '{(name.Contains(' ', StringComparison.Ordinal) ? "" : " ")}{name}') verb='{name}' ;;\n");
        }

        text.Append("    esac\n  done\n  case \"$verb $before\" in\n");
        foreach (var (name, command) in Verbs(root))
        {
            foreach (var option in Options(command).Where(TakesValue))
            {
                text.Append($"    {string.Join('|', Names(option).Select(spelling => $"'{name} {spelling}'"))}) "
                    + "mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); compopt -o filenames 2>/dev/null; return ;;\n");
            }
        }

        text.Append("  esac\n  case \"$verb\" in\n");
        foreach (var (name, command) in Verbs(root))
        {
            text.Append($"    '{name}') words='{string.Join(' ', WordsOf(command))}' ;;\n");
        }

        return text.Append("  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
            + "  [ ${#COMPREPLY[@]} -gt 0 ] || [[ $word == -* ]] || { mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); "
            + "compopt -o filenames 2>/dev/null; }\n}\ncomplete -F _trustix_proxy trustix-proxy\n").ToString();
    }

    private static string Zsh(RootCommand root)
    {
        var text = new StringBuilder("#compdef trustix-proxy\n# zsh completion of trustix-proxy, by trustix-proxy completions zsh\n"
            + "_trustix_proxy() {\n  local verb= i\n  local -a items\n  for ((i = 2; i < CURRENT; i++)); do\n"
            + "    case \"$verb ${words[i]}\" in\n");
        foreach (var (name, _) in Verbs(root).Where(verb => verb.Name.Length > 0))
        {
            text.Append($"      '{(name.Contains(' ', StringComparison.Ordinal) ? "" : " ")}{name}') verb='{name}' ;;\n");
        }

        text.Append("    esac\n  done\n  case \"$verb ${words[CURRENT-1]}\" in\n");
        foreach (var (name, command) in Verbs(root))
        {
            foreach (var option in Options(command).Where(TakesValue))
            {
                text.Append($"    {string.Join('|', Names(option).Select(spelling => $"'{name} {spelling}'"))}) _files; return ;;\n");
            }
        }

        text.Append("  esac\n  case \"$verb\" in\n");
        foreach (var (name, command) in Verbs(root))
        {
            var items = command.Subcommands.Where(verb => !verb.Hidden).Select(verb => (verb.Name, verb.Description))
                .Concat(Options(command).Select(option => (option.Name, option.Description)))
                .Select(item => $"'{item.Name}:{Quoted(Brief(item.Description))}'");
            text.Append($"    '{name}') items=({string.Join(' ', items)} '--help:Show help') ;;\n");
        }

        return text.Append("  esac\n  _describe -V trustix-proxy items || _files\n}\n"
            + "if [ \"$funcstack[1]\" = _trustix-proxy ]; then _trustix_proxy \"$@\"; "
            + "else compdef _trustix_proxy trustix-proxy; fi\n").ToString();
    }

    private static string Fish(RootCommand root)
    {
        var text = new StringBuilder("# fish completion of trustix-proxy, by trustix-proxy completions fish\n"
            + "function __trustix_proxy_at\n  set -l verb ''\n  for word in (commandline -opc)[2..-1]\n    switch \"$verb $word\"\n");
        foreach (var (name, _) in Verbs(root).Where(verb => verb.Name.Length > 0))
        {
            text.Append($"      case '{(name.Contains(' ', StringComparison.Ordinal) ? "" : " ")}{name}'\n        set verb '{name}'\n");
        }

        text.Append("    end\n  end\n  test \"$verb\" = \"$argv[1]\"\nend\n");
        foreach (var (name, command) in Verbs(root))
        {
            var at = $"complete -c trustix-proxy -n \"__trustix_proxy_at '{name}'\"";
            foreach (var verb in command.Subcommands.Where(verb => !verb.Hidden))
            {
                text.Append($"{at} -f -a '{verb.Name}' -d '{Quoted(Brief(verb.Description))}'\n");
            }

            foreach (var option in Options(command))
            {
                text.Append($"{at} -l '{option.Name.TrimStart('-')}'{(TakesValue(option) ? " -r" : "")} "
                    + $"-d '{Quoted(Brief(option.Description))}'\n");
            }
        }

        return text.Append("complete -c trustix-proxy -l help -d 'Show help'\n").ToString();
    }

    private static IEnumerable<string> WordsOf(Command command) => command.Subcommands.Where(verb => !verb.Hidden).Select(verb => verb.Name)
        .Concat(Options(command).Select(option => option.Name)).Append("--help");

    private static IEnumerable<string> Names(Option option) => option.Aliases.Prepend(option.Name);

    /// <summary>A text between single quotes, where zsh takes a colon for an end.</summary>
    private static string Quoted(string text) =>
        text.Replace("'", "’", StringComparison.Ordinal).Replace(":", " -", StringComparison.Ordinal);
}
