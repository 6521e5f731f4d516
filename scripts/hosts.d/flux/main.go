// Builds a folder as Flux's kustomize-controller does:
//
//	flux KUSTOMIZATION ROOT
//
// KUSTOMIZATION is a file with Flux's `Kustomization`, whose `spec.path` is a folder below ROOT. It prints the
// manifests. ROOT gets a kustomization.yaml, as in the controller's own copy of the source.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/fluxcd/pkg/kustomize"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	check(err)
	var object unstructured.Unstructured
	check(yaml.Unmarshal(text, &object.Object))
	root, err := filepath.Abs(os.Args[2])
	check(err)
	path, _, err := unstructured.NestedString(object.Object, "spec", "path")
	check(err)
	folder := filepath.Join(root, path)
	_, err = kustomize.NewGenerator(root, object).WriteFile(folder)
	check(err)
	resources, err := kustomize.SecureBuild(root, folder, false)
	check(err)
	manifests, err := resources.AsYaml()
	check(err)
	fmt.Print(string(manifests))
}
