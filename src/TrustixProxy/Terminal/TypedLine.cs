namespace TrustixProxy.Terminal;

/// <summary>A line that somebody types. Ctrl-C ends the wait for it; the read below it cannot be ended, and is left to the end of the
/// process.</summary>
internal static class TypedLine
{
    /// <returns>The line without blanks around it; null when there are no more.</returns>
    public static async Task<string?> ReadAsync(TextReader typed, CancellationToken cancellation) =>
        (await Task.Run(typed.ReadLine, cancellation).WaitAsync(cancellation))?.Trim();
}
