using NSec.Cryptography;

namespace TrustixProxy.Native;

/// <summary>The libsodium that NSec loads: <c>libsodium.so</c> beside the program, of the version that NSec was made for.</summary>
public static class Sodium
{
    /// <summary>Loads the library and says what is wrong with it; null when nothing is.</summary>
    public static string? Fault()
    {
        try
        {
            _ = SignatureAlgorithm.Ed25519;
            return null;
        }
        catch (Exception exception) when (exception is PlatformNotSupportedException or InvalidOperationException)
        {
            var cause = exception.InnerException is BadImageFormatException ? "is for another kind of machine"
                : exception is PlatformNotSupportedException ? "is missing or cannot be loaded"
                : $"is not the one that the program needs: {exception.Message}";
            return $"libsodium.so in {AppContext.BaseDirectory} {cause}. Put all files of one build there, not the executable alone.";
        }
    }
}
