using Microsoft.Data.Sqlite;

namespace TrustixProxy.IO.Storage;

/// <summary>Runs disk operations that the proxy can do without: a full or damaged disk must not end a decision.</summary>
public static class DiskRefusal
{
    /// <summary>Runs an operation; returns why the disk refused it, or null.</summary>
    public static string? Of(Action act)
    {
        try
        {
            act();
            return null;
        }
        catch (SqliteException exception)
        {
            return exception.Message;
        }
    }

    /// <inheritdoc cref="Of"/>
    public static async Task<string?> OfAsync(Func<Task> act)
    {
        try
        {
            await act();
            return null;
        }
        catch (SqliteException exception)
        {
            return exception.Message;
        }
    }
}
