using System.Collections.Immutable;
using System.Text;
using System.Text.Unicode;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>Reads a tlog-policy file, line by line, up to the first fault.</summary>
/// <remarks>Octets above 7f are opaque: lines are read as Latin 1, and names are compared as octets.</remarks>
/// <param name="mustDemand">Whether to refuse a policy that demands no cosignature.</param>
internal sealed class WitnessPolicyReader(bool mustDemand)
{
    /// <summary>Maximum number of logs, of witnesses and of groups.</summary>
    private const int Most = 256;

    private const string None = "none";

    private readonly List<PolicyLog> _logs = [];
    private readonly List<PolicyWitness> _witnesses = [];
    private readonly Dictionary<string, WitnessGroup> _groups = new(StringComparer.Ordinal);
    private readonly HashSet<string> _keys = new(StringComparer.Ordinal), _members = new(StringComparer.Ordinal);
    private readonly StringBuilder _text = new();
    private WitnessGroup? _quorum;
    private bool _hasQuorum;
    private int _line;

    /// <summary>Returns the policy, or null with the fault.</summary>
    public WitnessPolicy? Read(ReadOnlySpan<byte> bytes, out WitnessPolicyFault? fault)
    {
        if (bytes.Length > WitnessPolicy.MaxSize)
        {
            fault = new WitnessPolicyFault(1, $"the file has {bytes.Length} bytes", $"a policy has at most {WitnessPolicy.MaxSize}");
            return null;
        }

        ReadOnlySpan<char> rest = Encoding.Latin1.GetString(bytes);
        fault = null;
        while (fault is null && !rest.IsEmpty)
        {
            _line++;
            fault = NoteText.TryTakeLine(ref rest, out var line) ? ReadLine(line.ToString())
                : Fault("the last line does not end in a line feed", "end it; if the file was cut short, copy it again");
        }

        _line++;
        fault ??= _hasQuorum ? null : Fault("the file has no quorum line", "end it with a line such as 'quorum GROUP'");
        return fault is not null ? null
            : new WitnessPolicy([.. _logs], [.. _witnesses], _quorum, _text.ToString());
    }

    private WitnessPolicyFault? ReadLine(string line)
    {
        if (line.AsSpan().IndexOfAnyInRange('\0', '\b') >= 0 || line.AsSpan().IndexOfAnyInRange('\v', '\x1f') >= 0 || line.Contains('\x7f'))
        {
            return Fault("it contains a control character", "save the file as plain text with Unix line ends");
        }

        string[] words = [.. line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries).Select(Decode)];
        if (words is [] or [['#', ..], ..])
        {
            return null;
        }

        var fault = words switch
        {
            ["log", var key] => AddLog(key, null),
            ["log", var key, var url] => AddLog(key, url),
            ["witness", var name, var key] => AddWitness(name, key, null),
            ["witness", var name, var key, var url] => AddWitness(name, key, url),
            ["group", var name, var threshold, .. { Length: > 0 } members] => AddGroup(name, threshold, members),
            ["quorum", var name] => SetQuorum(name),
            ["log" or "witness" or "group" or "quorum", ..] => Fault(
                $"'{PolicyKey.Shown(words[0])}' has {words.Length - 1} words after it",
                "write 'log VKEY [URL]', 'witness NAME VKEY [URL]', 'group NAME all|any|K MEMBER…' or 'quorum NAME'"),
            _ => Fault($"'{PolicyKey.Shown(words[0])}' is not a kind of line", "begin it with log, witness, group, quorum or #"),
        };
        var meaning = words[0] switch { "log" => words.Take(2), "witness" => words.Take(3), _ => words };
        _text.AppendJoin(' ', meaning).Append('\n');
        return fault;
    }

    private WitnessPolicyFault? AddLog(string text, string? url)
    {
        if (ReadKey(text, NoteAlgorithm.Ed25519, out var key) is { } fault)
        {
            return fault;
        }

        _logs.Add(new PolicyLog(key!, url));
        return _logs.Count > Most ? TooMany("logs")
            : _keys.Add($"log {Convert.ToHexString(key!.Bytes)}") ? null
            : Fault($"the key of log '{key.Name}' is listed twice", "list each key once, under its right name");
    }

    private WitnessPolicyFault? AddWitness(string name, string text, string? url)
    {
        var fault = ReadKey(text, NoteAlgorithm.Cosignature, out var key);
        fault = Define(name) ?? fault;
        if (fault is not null)
        {
            return fault;
        }

        _witnesses.Add(new PolicyWitness(name, key!, url));
        return _witnesses.Count > Most ? TooMany("witnesses")
            : _keys.Add($"witness {Convert.ToHexString(key!.Bytes)}") ? null
            : Fault($"the key of witness '{PolicyKey.Shown(name)}' is listed twice", "list each key once: it counts once");
    }

    private WitnessPolicyFault? AddGroup(string name, string threshold, string[] members)
    {
        if (Define(name) is { } fault)
        {
            return fault;
        }

        var all = members.Select(Find).ToList();
        if (all.IndexOf(null) is var missing and >= 0)
        {
            return Fault($"member '{PolicyKey.Shown(members[missing])}' is not defined above", "define it first, or correct its name");
        }

        if (members.FirstOrDefault(member => !_members.Add(member)) is { } repeated)
        {
            return Fault(
                $"'{PolicyKey.Shown(repeated)}' is a member a second time", "list each witness and group in one place: it counts once");
        }

        var quorum = threshold switch { "all" => members.Length, "any" => 1, _ => NumberOf(threshold) };
        if (quorum < 1 || quorum > members.Length)
        {
            return Fault(
                $"'{PolicyKey.Shown(threshold)}' is not a number of members", $"write all, any, or a number from 1 to {members.Length}");
        }

        _groups.Add(name, new WitnessGroup(name, quorum, [.. all.OfType<PolicyWitness>()], [.. all.OfType<WitnessGroup>()]));
        return _groups.Count > Most ? TooMany("groups") : null;
    }

    private WitnessPolicyFault? SetQuorum(string name)
    {
        if (_hasQuorum)
        {
            return Fault("a second quorum line", "keep one");
        }

        _hasQuorum = true;
        _quorum = Find(name) switch
        {
            WitnessGroup group => group,
            PolicyWitness witness => new WitnessGroup(name, 1, [witness], []),
            _ => null,
        };
        return name is None ? mustDemand ? Fault(
                "'quorum none' demands no cosignature", "name a witness or a group, or do without the policy file") : null
            : _quorum is null ? Fault($"quorum '{PolicyKey.Shown(name)}' is not defined above", "name a witness or a group of a line above")
            : !_quorum.IsReachable ? Fault(
                $"quorum '{PolicyKey.Shown(name)}' can never be met: cosignatures with ML-DSA (type 06) are not verified",
                "list the witnesses' Ed25519 keys (type 04)")
            : null;
    }

    private WitnessPolicyFault? Define(string name) =>
        name is None ? Fault("'none' has a meaning of its own", "choose another name")
        : Find(name) is null ? null
        : Fault($"the name '{PolicyKey.Shown(name)}' is defined twice", "choose another name");

    private WitnessPolicyFault? ReadKey(string text, NoteAlgorithm use, out VerifierKey? key) =>
        PolicyKey.Read(text, use, out key) is var (problem, remedy) ? Fault(problem, remedy) : null;

    private object? Find(string name) =>
        _groups.TryGetValue(name, out var group) ? group : _witnesses.Find(witness => witness.Name == name);

    private WitnessPolicyFault TooMany(string what) => Fault($"more than {Most} {what}", "leave some out");

    private WitnessPolicyFault Fault(string problem, string remedy) => new(_line, problem, remedy);

    private static int NumberOf(string text) => NoteText.TryReadNumber(text, out var number) && number <= Most ? (int)number : 0;

    /// <summary>Returns UTF-8 where the octets are UTF-8, else Latin 1.</summary>
    private static string Decode(string octets)
    {
        var bytes = Encoding.Latin1.GetBytes(octets);
        return Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : octets;
    }
}
