using System.Security.Cryptography;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Apt.Tests;

/// <summary>Builders of what the tests talk about.</summary>
internal static class Make
{
    public static readonly byte[] KeyHead = Convert.FromHexString("302a300506032b6570032100");

    public static readonly AskedDeb Hello = Asked("hello_2.10-3_amd64.deb", 1);

    public static AskedDeb Asked(string fileName, int content) => new(FileOf(fileName), DigestOf(content));

    public static DebFile FileOf(string fileName) =>
        DebFile.TryParse(fileName, out var file) ? file : throw new ArgumentException(fileName);

    /// <summary>A digest told apart from others by a number.</summary>
    public static Digest DigestOf(int number) => new(SHA256.HashData(BitConverter.GetBytes(number)));

    /// <summary>The key in a file of the vectors: a PEM, or an answer of rebuilderd with one.</summary>
    public static RebuilderKey KeyOf(string vector)
    {
        var bytes = File.ReadAllBytes($"Vectors/rebuilderd/{vector}");
        return RebuilderdReply.TryReadKeys(bytes, out var keys) ? keys.Single()
            : RebuilderKey.TryParse(System.Text.Encoding.ASCII.GetString(bytes), out var key, out _) ? key
            : throw new ArgumentException(vector);
    }
}
