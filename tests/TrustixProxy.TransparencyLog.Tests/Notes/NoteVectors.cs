using System.Text;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.TransparencyLog.Tests.Notes;

/// <summary>Recorded bytes of real witnesses and tools, in <c>tests/Vectors/c2sp</c> and <c>tests/Vectors/sigsum</c>.</summary>
internal static class NoteVectors
{
    /// <summary>When the recorded cosignatures were made.</summary>
    public static readonly DateTimeOffset RecordedAt = DateTimeOffset.FromUnixTimeSeconds(0x6b0af52c);

    /// <summary>The log whose checkpoints were recorded.</summary>
    public const string Origin = "log.alice.example/nix";

    public static byte[] Bytes(string file) => File.ReadAllBytes($"Vectors/{file}");

    public static string Text(string file) => Encoding.UTF8.GetString(Bytes(file));

    public static SignedNote Note(string file)
    {
        Assert.True(SignedNote.TryParse(Bytes(file), out var note, out _), file);
        return note;
    }

    public static VerifierKey Key(string text)
    {
        Assert.True(VerifierKey.TryParse(text.TrimEnd('\n'), out var key, out var error), $"{error}: {text}");
        return key;
    }

    public static WitnessPolicy Policy(string text)
    {
        Assert.True(WitnessPolicy.TryParse(Encoding.UTF8.GetBytes(text), mustDemand: false, out var policy, out var fault), $"{fault}");
        return policy;
    }

    /// <summary>The key of the recorded log.</summary>
    public static LogKey LogKey()
    {
        Assert.True(TransparencyLog.LogKey.TryParse("IGDL/zaBpDSnSX2GoV3aw3kP4P6NYAaiiAfKxf8RWb8=", out var key, out _));
        return key;
    }
}
