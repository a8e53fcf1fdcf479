using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Operations;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Configuration;

/// <summary>The configuration of <c>serve</c>.</summary>
/// <param name="Options">What the proxy is told.</param>
/// <param name="KeyToMake">Where the signing key is to be written, which is not there yet; null when it is.</param>
internal sealed record ServeConfiguration(SubstituterOptions Options, string? KeyToMake)
{
    /// <summary>Reads all keys.</summary>
    /// <param name="section">The configuration.</param>
    /// <param name="isCheck">Whether it is only looked at: then no directory is made.</param>
    public static ServeConfiguration? Read(Section section, bool isCheck)
    {
        var listen = section.Texts("listen", "http://127.0.0.1:8080");
        CommonKeys.CheckListen(section, "listen", listen, allowUnix: false);
        var stateDirectory = CommonKeys.StateDirectory(section, "trustix-proxy", isCheck);
        var logs = Unique(section, "logs", [.. section.List("logs").Select(ReadLog)], log => log.Elector.Name);
        var upstreams = Unique(section, "upstreams", [.. section.List("upstreams").Select(ReadUpstream)], upstream => upstream.Name);
        var priority = section.Integer("priority", 30, 1, 1000);
        var deadline = section.Time("deadline", TimeSpan.FromSeconds(10), TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(4));
        var onUndecided = section.Choice("onUndecided", OnUndecided.NotFound);
        var policy = ReadPolicy(section, logs);
        var (key, keyToMake) = ReadKey(section, stateDirectory);
        return policy is null || key is null ? null : new ServeConfiguration(
            new SubstituterOptions
            {
                Listen = [.. listen],
                StateDirectory = stateDirectory,
                SigningKey = key,
                Policy = policy,
                Logs = logs,
                Upstreams = upstreams,
                Priority = priority,
                Deadline = deadline,
                OnUndecided = onUndecided,
            },
            keyToMake);
    }

    /// <summary>What is allowed but weaker than it may look.</summary>
    public IEnumerable<string> Warnings()
    {
        var (policy, upstreams) = (Options.Policy, Options.Upstreams);
        if (policy.Electors.Length is 0)
        {
            yield return "logs: none is named, so nothing is ever agreed on and every path is refused. Name at least three, run by different operators.";
        }

        if (upstreams.Length is 0)
        {
            yield return "upstreams: none is named, so there is no NAR to serve. Name a binary cache, for example {\"name\": \"nixos\", \"url\": \"https://cache.nixos.org\"}.";
        }

        if (policy.Operators > 1 && policy.Quorum * 2 <= policy.Operators)
        {
            yield return $"policy.quorum: {policy.Quorum} of {policy.Operators} is at most half: whoever can silence the others decides alone. A majority is {Policy.Majority(policy.Operators)}.";
        }

        if (policy.Dissent is Dissent.Veto)
        {
            yield return "policy.dissent: under \"veto\" one dissent refuses, but only if it is heard: whoever can silence that log lifts the veto.";
        }

        foreach (var log in Options.Logs.Where(log => !log.Elector.RequiresInclusionProof))
        {
            yield return $"logs: '{log.Elector.Name}' need not tie its map to its append-only log (inclusionProof: optional): a wrong answer to us alone would leave no trace in the log.";
        }
    }

    private static LogOptions ReadLog(Section section)
    {
        var name = section.Name("name", null, "\"alice\"");
        var isRequired = section.Choice("inclusionProof", InclusionProofs.Required) is InclusionProofs.Required;
        var url = CommonKeys.Url(section, "url", allowUnix: true);
        if (section.Text("protocol", "nix") is { } protocol && protocol is not "nix")
        {
            section.Fault("protocol", $"is '{protocol}'; it must be \"nix\".");
        }

        var keyText = section.Required("publicKey", "the base64 that the log's operator publishes");
        if (!LogKey.TryParse(keyText, out var key) && keyText.Length > 0)
        {
            section.Fault("publicKey", $"is '{keyText}'; it must be the base64 of the log's 32-byte Ed25519 public key.");
        }

        var elector = new Elector(name, section.Name("operator", name, ""), key ?? new LogKey(new byte[32]), section.Choice("keyForm", LogKeyForm.StorePath), isRequired);
        return new LogOptions(elector, url);
    }

    private static UpstreamOptions ReadUpstream(Section section) =>
        new(section.Name("name", null, "\"nixos\""), CommonKeys.Url(section, "url", allowUnix: false), section.Integer("priority", 40, 1, 1000));

    private static ImmutableArray<T> Unique<T>(Section section, string key, ImmutableArray<T> items, Func<T, string> name)
    {
        foreach (var twice in items.GroupBy(name).Where(group => group.Key.Length > 0 && group.Count() > 1))
        {
            section.Fault(key, $"has the name '{twice.Key}' {twice.Count()} times; each needs its own.");
        }

        return items;
    }

    private static Policy? ReadPolicy(Section section, ImmutableArray<LogOptions> logs)
    {
        var policy = section.Object("policy");
        var electors = logs.Select(log => log.Elector).ToList();
        var operators = electors.Select(elector => elector.Operator).Distinct().Count();
        var quorum = policy.Integer("quorum", Policy.Majority(operators), 1, int.MaxValue);
        var dissent = policy.Choice("dissent", Dissent.Outvoted);
        if (quorum > Math.Max(1, operators))
        {
            policy.Fault("quorum", $"is {quorum}; it must be from 1 to {operators}, the number of operators of the logs.");
            quorum = Policy.Majority(operators);
        }

        foreach (var twice in electors.GroupBy(elector => elector.Key).Where(group => group.Count() > 1 && group.Key.Bytes.ContainsAnyExcept((byte)0)))
        {
            section.Fault("logs", $"has one publicKey for {string.Join(" and ", twice.Select(elector => $"'{elector.Name}'"))}; one key on two logs would vote twice, and its heads could not be told apart.");
        }

        var isSound = electors.DistinctBy(elector => elector.Key).Count() == electors.Count && electors.DistinctBy(elector => elector.Name).Count() == electors.Count;
        return isSound ? new Policy(electors, quorum, dissent) : null;
    }

    private static (NixSecretKey? Key, string? ToMake) ReadKey(Section section, string stateDirectory)
    {
        const string key = "signingKeyFile";
        var path = Path.GetFullPath(section.Text(key) ?? Path.Combine(stateDirectory, "signing.key"));
        if (!Path.Exists(path))
        {
            return (NixSecretKey.Generate($"{Environment.MachineName.ToLowerInvariant()}-trustix-1"), path);
        }

        if (!KeyFile.TryRead(path, allowBare: false, out var found, out var fault))
        {
            section.Fault(key, fault);
        }

        return (found, null);
    }

    private enum InclusionProofs
    {
        Required,
        Optional,
    }
}
