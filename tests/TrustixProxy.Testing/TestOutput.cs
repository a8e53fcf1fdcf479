using System.Collections.Concurrent;
using System.Diagnostics;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;

namespace TrustixProxy.Testing;

/// <summary>What a build produced, in bytes: a NAR and what is said of it.</summary>
public sealed class TestOutput
{
    private readonly ConcurrentDictionary<string, byte[]> _files = new();

    private TestOutput(StorePath path, byte[] nar, IReadOnlyList<StorePath> references)
    {
        Nar = nar;
        Statement = new BuildStatement(path, NixHash.Sha256(SHA256.HashData(nar)), nar.Length, references);
    }

    public byte[] Nar { get; }

    public BuildStatement Statement { get; }

    public StorePath Path => Statement.Path;

    /// <summary>An output with random contents of about <paramref name="size"/> bytes, half of which compress well.</summary>
    public static TestOutput Make(string name = "hello-1.0", int size = 1000, params StorePath[] references) =>
        new(PathOf(name), Pack(nar => nar.File(Contents(size), executable: true)), references);

    /// <summary>Another build of the same path, with other contents.</summary>
    public TestOutput Forge() => new(Path, Pack(nar => nar.File(Contents(Nar.Length), executable: true)), Statement.References);

    /// <summary>An output at a path of the caller's choosing.</summary>
    public static TestOutput At(StorePath path, byte[] contents, params StorePath[] references) =>
        new(path, Pack(nar => nar.File(contents)), references);

    /// <summary>An output that holds what is written.</summary>
    public static TestOutput Of(StorePath path, Action<NarWriter> write) => new(path, Pack(write), []);

    /// <summary>The NAR as a file of this compression.</summary>
    public byte[] File(string compression) => _files.GetOrAdd(compression, kind => Compress(kind, Nar));

    /// <summary>An honest narinfo.</summary>
    public NarInfo NarInfo(string compression = "none") => new()
    {
        StorePath = Path,
        Url = $"nar/{Path.Digest}.nar.{compression}",
        Compression = compression,
        FileHash = NixHash.Sha256(SHA256.HashData(File(compression))),
        FileSize = File(compression).Length,
        NarHash = Statement.NarHash,
        NarSize = Statement.NarSize,
        References = [.. Statement.References],
    };

    public static StorePath PathOf(string name)
    {
        var digest = Nix32.Encode(RandomNumberGenerator.GetBytes(20));
        return StorePath.TryParse($"{digest}-{name}", out var path, out var error) ? path : throw new ArgumentException(error.ToString());
    }

    public static byte[] Pack(Action<NarWriter> write)
    {
        using var stream = new MemoryStream();
        write(new NarWriter(stream));
        return stream.ToArray();
    }

    public static byte[] Compress(string kind, byte[] bytes)
    {
        using var output = new MemoryStream();
        switch (kind)
        {
            case "none":
                return bytes;
            case "gzip":
                using (var gzip = new GZipStream(output, CompressionLevel.Fastest, leaveOpen: true))
                {
                    gzip.Write(bytes);
                }

                break;
            case "br":
                using (var brotli = new BrotliStream(output, CompressionLevel.Fastest, leaveOpen: true))
                {
                    brotli.Write(bytes);
                }

                break;
            default:
                Pipe(kind, bytes, output);
                break;
        }

        return output.ToArray();
    }

    /// <summary>Runs <c>xz</c>, <c>zstd</c> or <c>bzip2</c> over the bytes.</summary>
    private static void Pipe(string tool, byte[] bytes, MemoryStream output)
    {
        using var process = Process.Start(
            new ProcessStartInfo(tool, ["-1", "-c"]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        var reading = process.StandardOutput.BaseStream.CopyToAsync(output);
        process.StandardInput.BaseStream.Write(bytes);
        process.StandardInput.Close();
        reading.GetAwaiter().GetResult();
        process.WaitForExit();
        if (process.ExitCode is not 0)
        {
            throw new InvalidOperationException($"{tool} ended with {process.ExitCode}.");
        }
    }

    private static byte[] Contents(int size) =>
        [.. RandomNumberGenerator.GetBytes(size / 2), .. Encoding.ASCII.GetBytes(new string('x', size - (size / 2)))];
}
