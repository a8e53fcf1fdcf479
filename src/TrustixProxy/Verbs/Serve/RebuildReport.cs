using System.Text.Json;
using TrustixProxy.Rebuilder.Records;

namespace TrustixProxy.Verbs.Serve;

/// <summary>What <c>rebuild</c> prints.</summary>
internal static class RebuildReport
{
    /// <summary>Prints records, with the inputs that came without a vote.</summary>
    public static void Show(IReadOnlyList<BuildRecord> records, bool isJson)
    {
        if (isJson)
        {
            Console.WriteLine(JsonSerializer.Serialize(records, RecordJson.Default.IReadOnlyListBuildRecord));
            return;
        }

        foreach (var record in records)
        {
            foreach (var line in LinesOf(record))
            {
                Console.WriteLine(line);
            }
        }
    }

    /// <summary>A record as lines: what it came to, each input that came without a vote, and what was built before.</summary>
    public static IEnumerable<string> LinesOf(BuildRecord record) =>
    [
        $"{record}",
        .. record.Unvoted.Select(input => $"  without a quorum's votes: {input.Path} {input.NarHash} ({input.Reason})"),
        .. new[] { record.Before }.OfType<BuildRecord>()
            .Select(before => $"  before, {before.StartedAt.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z: {before}"),
    ];

    /// <summary>A record as one line of JSON.</summary>
    public static string JsonOf(BuildRecord record) => JsonSerializer.Serialize(record, RecordJson.Default.BuildRecord);
}
