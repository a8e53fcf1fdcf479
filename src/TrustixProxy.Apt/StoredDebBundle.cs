using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using TrustixProxy.Consensus;

namespace TrustixProxy.Apt;

/// <summary>The JSON of <see cref="DebBundle"/>.</summary>
internal sealed record StoredDebBundle(
    int Version, string Kind, string File, string FileSha256, string Outcome, string DecidedAt, BundledDebPolicy Policy,
        BundledDebAnswer[] Answers, string? Sha256);

[JsonSerializable(typeof(StoredDebBundle))]
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class StoredDebBundleJson : JsonSerializerContext;

/// <summary>The policy decided under.</summary>
internal sealed record BundledDebPolicy(string Identity, string Text)
{
    public static BundledDebPolicy Of(Policy policy) => new(policy.Identity.ToString(), policy.Text);
}

/// <summary>One rebuilder's answer; exactly one member other than the name is present.</summary>
internal sealed record BundledDebAnswer(
    string Elector,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Link = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Says = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Silent = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Unusable = null)
{
    private const string Bad = "bad", Unknown = "unknown";

    public static BundledDebAnswer Of(DebAnswer answer) => answer.Ballot switch
    {
        DebBallot.Claimed vote => new(answer.Elector.Name, Link: Encoding.UTF8.GetString(vote.Link.Span)),
        DebBallot.Bad => new(answer.Elector.Name, Says: Bad),
        DebBallot.Unknown => new(answer.Elector.Name, Says: Unknown),
        DebBallot.Silent { IsAnswer: true } silent => new(answer.Elector.Name, Unusable: silent.Reason.ToString()),
        DebBallot.Silent silent => new(answer.Elector.Name, Silent: silent.Reason.ToString()),
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    /// <summary>Judges the ballot that the answer represents; null with an error.</summary>
    public DebBundleError Judge(Elector elector, DebFile file, out DebBallot? ballot)
    {
        ballot = null;
        if (new[] { Link, Says, Silent, Unusable }.Count(member => member is not null) is not 1)
        {
            return DebBundleError.Json;
        }

        if (Link is not null)
        {
            ballot = elector is Rebuilder rebuilder
                ? DebBallot.Of(Encoding.UTF8.GetBytes(Link), rebuilder, file) as DebBallot.Claimed : null;
            return DebBundleError.Link;
        }

        var word = Silent ?? Unusable;
        var isReason = Enum.TryParse<SilenceReason>(word, out var reason) && reason.ToString() == word;
        ballot = Says switch
        {
            Bad => new DebBallot.Bad(),
            Unknown => new DebBallot.Unknown(),
            null when isReason => new DebBallot.Silent(reason) { IsAnswer = Unusable is not null },
            _ => null,
        };
        return DebBundleError.Json;
    }
}
