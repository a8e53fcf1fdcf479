using System.Buffers.Binary;
using TrustixProxy.Native;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Testing;

/// <summary>A witness's key, which cosigns whatever it is given.</summary>
public sealed class TestWitness
{
    private readonly Ed25519SigningKey _key;

    public TestWitness(string name, byte seed)
    {
        _key = new Ed25519SigningKey([.. Enumerable.Repeat(seed, Ed25519SigningKey.SeedSize)]);
        Key = VerifierKey.OfWitness($"{name}.example/w", _key.PublicKey);
        Name = name;
    }

    /// <summary>Its name in a policy.</summary>
    public string Name { get; }

    public VerifierKey Key { get; }

    /// <summary>Its line of a policy.</summary>
    public string Line => $"witness {Name} {Key}\n";

    /// <summary>The time and the signature, as after the key id on a note's line.</summary>
    public byte[] Sign(string checkpoint, long time)
    {
        var bytes = new byte[Cosignature.TimeSize];
        BinaryPrimitives.WriteInt64BigEndian(bytes, time);
        return [.. bytes, .. _key.Sign(Cosignature.SigningText(checkpoint, time))];
    }

    public NoteSignature Cosign(SignedNote note, DateTimeOffset at) => Cosign(note, at.ToUnixTimeSeconds());

    public NoteSignature Cosign(SignedNote note, long time) => new(Key.Name, Key.KeyId, Sign(note.Text, time));
}
