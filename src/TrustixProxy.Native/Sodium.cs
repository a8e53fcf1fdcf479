using NSec.Cryptography;

namespace TrustixProxy.Native;

/// <summary>Checks the libsodium that NSec loads: <c>libsodium.so</c> next to the program, in the version that NSec requires.</summary>
public static class Sodium
{
    /// <summary>Loads the library and returns the fault; null when it works.</summary>
    public static string? Fault()
    {
        try
        {
            _ = SignatureAlgorithm.Ed25519;
            return null;
        }
        catch (Exception exception) when (exception is PlatformNotSupportedException or InvalidOperationException)
        {
            var cause = exception.InnerException is BadImageFormatException ? "is for a different platform"
                : exception is PlatformNotSupportedException ? "is missing or cannot be loaded"
                : $"is not the version this program needs: {exception.Message}";
            return $"libsodium.so in {AppContext.BaseDirectory} {cause}. Put all files of one build there, not the executable alone.";
        }
    }
}
