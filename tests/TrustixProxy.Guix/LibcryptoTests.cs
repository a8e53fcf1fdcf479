using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace TrustixProxy.Guix;

/// <summary>A libcrypto that takes named curves only, which a distribution may have.</summary>
public sealed class LibcryptoTests
{
    private const string Ed25519 =
        "(public-key (ecc (curve Ed25519) (q #8D156F295D24B0D9A86FA5741A840FF2D24F60F7B6C4134814AD55625971B394#)))";

    private const string Source =
        "void *EC_GROUP_new_curve_GFp(const void *p, const void *a, const void *b, void *context) { return 0; }\n";

    [Fact]
    public async Task A_key_that_cannot_be_used_is_named_with_the_remedy_and_other_keys_can_be_used()
    {
        var folder = Directory.CreateTempSubdirectory("trustix-libcrypto-").FullName;
        var source = Path.Combine(folder, "refuse.c");
        await File.WriteAllTextAsync(source, Source);
        var real = await CopyLibraryAsync(folder);
        (await Shell.RunAsync("cc", ["-shared", "-fPIC", "-o", Path.Combine(folder, "libcrypto.so.3"), source,
            "-Wl,-soname,libcrypto-refusing.so", "-Wl,--no-as-needed", real])).OrThrow(); // all other functions are the real ones
        using var key = new FarmKey();
        var refusing = new Dictionary<string, string> { ["LD_LIBRARY_PATH"] = folder };

        var refused = await CheckAsync(folder, Ed25519, refusing);
        var known = await CheckAsync(folder, Ed25519, []);
        var other = await CheckAsync(folder, key.PublicKey, refusing);
        Directory.Delete(folder, recursive: true);

        Assert.True((refused.Code, known.Code, other.Code) is (2, 0, 0), $"{refused}\n{known}\n{other}");
        Assert.Contains($"caches[0].publicKeys: has '{Ed25519}', which is an Ed25519 key, whose curve this machine's libcrypto refuses; "
            + "install an OpenSSL 3", refused.Error, StringComparison.Ordinal);
    }

    /// <summary>Copies the libcrypto that this process uses, and gives the copy another name.</summary>
    private static async Task<string> CopyLibraryAsync(string folder)
    {
        RandomNumberGenerator.GetBytes(1); // loads it
        var line = File.ReadLines("/proc/self/maps").First(line => line.Contains("/libcrypto.so.3", StringComparison.Ordinal));
        var bytes = Encoding.Latin1.GetString(await File.ReadAllBytesAsync(line[line.IndexOf('/', StringComparison.Ordinal)..]));
        var copy = Path.Combine(folder, "libcrypto.re.3");
        await File.WriteAllBytesAsync(copy, Encoding.Latin1.GetBytes(
            bytes.Replace("libcrypto.so.3\0", "libcrypto.re.3\0", StringComparison.Ordinal)));
        return copy;
    }

    private static async Task<Result> CheckAsync(string folder, string key, Dictionary<string, string> environment)
    {
        var file = Path.Combine(folder, "serve.json");
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(new
        {
            store = "/gnu/store",
            stateDirectory = Path.Combine(folder, "state"),
            upstreams = new[] { new { name = "ci", url = "https://ci.example" } },
            caches = new[] { new { name = "ci", url = "https://ci.example", publicKeys = new[] { key } } },
            policy = new { quorum = 1 },
        }));
        return await Daemon.RunAsync(["check-config", "--config", file], environment);
    }
}
