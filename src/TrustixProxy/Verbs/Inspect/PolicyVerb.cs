using System.CommandLine;
using System.Text.Json;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Inspect;

/// <summary><c>trustix-proxy policy test</c>: which rule a name has, and what would meet it. Asks nobody.</summary>
internal static class PolicyVerb
{
    private const int MostSets = 20;

    private static readonly Argument<string> Name = new(
        "name")
    { Description = "A store path name (for example linux-6.1) or a whole store path.", HelpName = "NAME" };

    public static Command Create()
    {
        var test = new Command(
            "test", "Shows the rule and exceptions that apply to a path name, and which electors would meet the rule.") { Name,
            SharedOptions.Config, SharedOptions.Json };
        test.SetAction((parsed, _) => RunAsync(parsed));
        return new Command("policy", "Shows the policy.") { test };
    }

    private static async Task<int> RunAsync(ParseResult parsed)
    {
        var name = parsed.GetValue(Name)!;
        var isPath = StorePath.TryParseAbsolute(name, out var path, out _) || StorePath.TryParse(name, out path, out _);
        if (!isPath && !StorePath.TryParse($"{new string('0', 32)}-{name}", out path, out var error))
        {
            Console.Error.WriteLine($"NAME is '{name}', which cannot be the name of a store path ({Kebab.Of(error)}): 1 to 211 characters "
                + $"of letters, digits and + - . _ ? =.");
            return ExitCode.Usage;
        }

        return await ProxyConfiguration.WithAsync(parsed, options =>
        {
            Show(path!, options.Policy, parsed.GetValue(SharedOptions.Json));
            return Task.FromResult(ExitCode.Good);
        });
    }

    private static void Show(StorePath path, Policy policy, bool isJson)
    {
        var now = TimeProvider.System.GetUtcNow();
        var scope = policy.ScopeOf(path);
        var sets = PolicyText.Satisfying(policy, scope.Rule, MostSets + 1).ToList();
        var exceptions = policy.Exceptions.Where(exception => NameGlob.Matches(exception.Match, path))
            .Select(exception => (Text: exception.ToString(), IsExpired: exception.Expires <= now)).ToList();
        var outside = policy.Electors.Where(elector => !scope.Rule.AllOperators.Contains(elector.Operator)).Select(elector => elector.Name)
            .ToList();
        if (isJson)
        {
            Console.WriteLine(JsonSerializer.Serialize(
                new TestedPolicy(path.Name, scope.Match, scope.Rule.ToString(), Kebab.Of(scope.Dissent), sets.Take(MostSets), outside,
                    exceptions.Select(exception => new TestedException(exception.Text, exception.IsExpired)), policy.Fallback),
                VerbJson.Indented.TestedPolicy));
            return;
        }

        Console.WriteLine($"{path.Name}: {PolicyText.Of(policy, scope)}");
        Console.WriteLine(sets.Count is 0 ? "cannot be met: no elector is declared" : $"met by any of: "
            + $"{string.Join("; ", sets.Take(MostSets).Select(set => string.Join(" + ", set)))}{(sets.Count > MostSets ? "; …" : "")}");
        if (outside.Count > 0)
        {
            Console.WriteLine($"asked too, but not "
                + $"counted{(scope.Dissent is Dissent.Veto ? ", although a proof of another claim refuses" : "")}: "
                + $"{string.Join(", ", outside)}");
        }

        foreach (var (text, isExpired) in exceptions)
        {
            Console.WriteLine($"{(isExpired ? "expired exception" : "exception, if the rule is not met")}: {text}");
        }

        if (policy.Fallback is not null)
        {
            Console.WriteLine($"report mode: everything signed by '{policy.Fallback}' is served");
        }
    }
}
