using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using TrustixProxy.Nix;

namespace TrustixProxy.Benchmarks;

/// <summary>Asks for narinfos as Guix does: all in one write on one connection, then reads the answers.</summary>
internal static class PipelinedClient
{
    /// <summary>Seconds from the write to the last answer. Each answer must be the narinfo of its path.</summary>
    public static async Task<double> AskAsync(Uri cache, IReadOnlyList<StorePath> paths)
    {
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(cache.Host, cache.Port);
        var stream = client.GetStream();
        var requests = Encoding.ASCII.GetBytes(string.Concat(paths.Select(path =>
            $"GET /{path.Digest}.narinfo HTTP/1.1\r\nHost: {cache.Authority}\r\nUser-Agent: GNU Guile\r\n\r\n")));
        var watch = Stopwatch.StartNew();
        var writing = stream.WriteAsync(requests);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        foreach (var path in paths)
        {
            if (!(await ReadAsync(reader)).StartsWith($"StorePath: {path.Absolute}\n", StringComparison.Ordinal))
            {
                throw new InvalidOperationException($"{cache} gave another answer than the narinfo of {path}");
            }
        }

        await writing;
        return watch.Elapsed.TotalSeconds;
    }

    private static async Task<string> ReadAsync(StreamReader reader)
    {
        var length = 0;
        while (await reader.ReadLineAsync() is { Length: > 0 } line)
        {
            length = line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase)
                ? int.Parse(line["Content-Length:".Length..], CultureInfo.InvariantCulture) : length;
        }

        var body = new char[length];
        await reader.ReadBlockAsync(body);
        return new string(body);
    }
}
