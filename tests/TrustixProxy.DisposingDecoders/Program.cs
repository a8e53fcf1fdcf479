using System.Globalization;
using TrustixProxy.DisposingDecoders;

// Disposes decoders at random times while another thread decodes with them. Meant to run with glibc's checks of the heap:
//   LD_PRELOAD=libc_malloc_debug.so.0 MALLOC_CHECK_=3 dotnet TrustixProxy.DisposingDecoders.dll DISPOSALS INSIDE SEED
// Ends when it has disposed DISPOSALS times, INSIDE of them while a native call ran. Exit code 3: glibc's checks are not loaded.
var numbers = Array.ConvertAll(args, text => int.Parse(text, CultureInfo.InvariantCulture));
var (disposals, inside, seed) = (numbers[0], numbers[1], numbers[2]);

Console.WriteLine($"seed {seed}");
var stress = new DisposalStress(new Random(seed));
while (stress.Disposals < disposals || stress.Inside < inside)
{
    await stress.DisposeOnceAsync();
}

Console.WriteLine($"disposed {stress.Disposals}");
Console.WriteLine($"inside {stress.Inside}");
return File.ReadAllText("/proc/self/maps").Contains("libc_malloc_debug", StringComparison.Ordinal) ? 0 : 3;
