using TrustixProxy.Nix;
using TrustixProxy.Publisher;

namespace TrustixProxy.Demo;

/// <summary>Takes real paths out of this machine's Nix store.</summary>
internal static class DemoStore
{
    /// <summary>The closure of a path, the path itself last, with its NARs packed into <paramref name="directory"/>.</summary>
    /// <exception cref="NixException">Nix is missing, or does not know the path.</exception>
    public static async Task<IReadOnlyList<DemoOutput>> PackAsync(string path, string directory, CancellationToken cancellation)
    {
        var top = StorePath.TryParseAbsolute(path, out var parsed, out _) ? parsed
            : throw new NixException($"'{path}' is not a store path");
        var closure = await NixStore.ClosureAsync(top, cancellation);
        var statements = (await NixStore.DescribeAsync(closure, cancellation)).Select(output => output.Statement)
            .ToDictionary(statement => statement.Path);
        var outputs = new List<DemoOutput>();
        foreach (var item in closure)
        {
            var file = Path.Combine(directory, $"{item.Digest}.nar");
            await using (var nar = File.Create(file))
            {
                await using var dump = NixStore.Dump(item);
                await dump.CopyToAsync(nar, cancellation);
            }

            outputs.Add(new DemoOutput(statements[item], file));
        }

        return outputs;
    }
}
