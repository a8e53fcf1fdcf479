using System.CommandLine;
using TrustixProxy.Configuration;
using TrustixProxy.Nix;
using TrustixProxy.Rebuilder.Records;
using TrustixProxy.Verbs.Serve;

namespace TrustixProxy.Verbs.Inspect;

/// <summary>What this machine's rebuilder knows of a path: its own result, and the inputs that it took without a vote.</summary>
internal static class OwnRebuild
{
    /// <summary>Where the rebuilder's results are.</summary>
    public static Option<string?> Source { get; } = new("--rebuilder")
    {
        Description = "This machine's rebuilder, whose own result is shown too: its configuration, or its store's folder. Default: the "
            + "store that a rebuilder has without the key rebuilder.store.",
        HelpName = "FILE|FOLDER",
    };

    /// <summary>Finds the newest record that answers for a path; null when there is none, or no rebuilder.</summary>
    /// <param name="source">What the option names; null for the default.</param>
    public static BuildRecord? Find(string? source, StorePath? path)
    {
        var store = File.Exists(source) ? ConfigurationFile.StoreOfRebuilder(source) : source;
        if (source is not null && !Directory.Exists(store))
        {
            Console.Error.WriteLine($"--rebuilder: is '{source}', which is neither a rebuilder's configuration nor its store's folder; "
                + "no own result is shown.");
            return null;
        }

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
