using System.Diagnostics;

namespace TrustixProxy.Substituter.Tests.Storage;

/// <summary>Waits for what another thread will bring about.</summary>
internal static class Eventually
{
    public static async Task TrueAsync(Func<bool> isSo)
    {
        for (var start = Stopwatch.GetTimestamp(); !isSo(); await Task.Delay(5))
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(30), "it has not come about in 30 s");
        }
    }
}
