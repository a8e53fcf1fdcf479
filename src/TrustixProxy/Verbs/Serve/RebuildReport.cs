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
            Console.WriteLine(record);
            ShowUnvoted(record);
        }
    }

    /// <summary>Prints the inputs of a build that came without a vote.</summary>
    public static void ShowUnvoted(BuildRecord record)
    {
        foreach (var input in record.Unvoted)
        {
            Console.WriteLine($"  without a quorum's votes: {input.Path} {input.NarHash} ({input.Reason})");
        }
    }

    /// <summary>A record as one line of JSON.</summary>
    public static string LineOf(BuildRecord record) => JsonSerializer.Serialize(record, RecordJson.Default.BuildRecord);
}
