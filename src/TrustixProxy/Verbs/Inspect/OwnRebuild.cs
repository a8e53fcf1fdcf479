using System.CommandLine;
using TrustixProxy.Configuration;
using TrustixProxy.Nix;
using TrustixProxy.Rebuilder.Records;
using TrustixProxy.Verbs.Serve;

namespace TrustixProxy.Verbs.Inspect;

/// <summary>What this machine's rebuilder knows of a path: its own result, and the inputs that it took without a vote.</summary>
internal static class OwnRebuild
{
    /// <summary>The rebuilder's store.</summary>
    public static Option<string?> Store { get; } = new("--rebuilder")
    {
        Description = "The store of this machine's rebuilder, whose own result is shown too; default: that of the key rebuilder.store.",
        HelpName = "FOLDER",
    };

    /// <summary>Finds the newest record that answers for a path; null when there is none, or no rebuilder.</summary>
    public static BuildRecord? Find(string? store, StorePath? path)
    {
        var folder = RecordFolder.In(store ?? CommonKeys.DefaultStateDirectory("trustix-rebuilder"));
        try
        {
            return RecordFolder.Read(folder).LastOrDefault(record => path is not null && record.Answers.Contains(path.Absolute));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(
                $"the rebuilder's results in '{folder}' cannot be read: {exception.Message} Run this as the rebuilder's user.");
            return null;
        }
    }

    /// <summary>Prints a record, if there is one.</summary>
    public static void Show(BuildRecord? record, StorePath? path)
    {
        if (record is not null)
        {
            Console.Write($"this machine's rebuilder, {record.StartedAt.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z: ");
            RebuildReport.Show([record with { Path = path!.Absolute }], isJson: false);
        }
    }
}
