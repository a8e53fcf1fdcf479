namespace TrustixProxy.Terminal;

/// <summary>A folder for one run of a verb, which deletes it again.</summary>
internal static class TemporaryFolder
{
    /// <summary>Makes one where the machine has its temporary files.</summary>
    /// <returns>What is wrong, with the remedy; null when it is there.</returns>
    public static string? TryMake(string prefix, out string folder)
    {
        try
        {
            folder = Directory.CreateTempSubdirectory(prefix).FullName;
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            folder = "";
            return $"no folder can be made in {Path.GetTempPath()} ({exception.Message.TrimEnd('.')}). "
                + "Set TMPDIR to one that can be written to.";
        }
    }
}
